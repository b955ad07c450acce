"""A real domain controller: Samba as Active Directory, unpacked privately. Its ports are fixed (389, 636, 3268, 3269 on 127.0.0.1), so
that it runs in a network namespace of its own with those that use it. Making the domain takes a quarter of a minute: it is made once
for a build folder, and every server starts on a copy.
"""
import os
import shutil
import subprocess

from peers import HERE, Peers, answers, wait_for

REALM, DOMAIN, HOST = "AD.EXAMPLE.TEST", "ADEX", "dc1.ad.example.test"
BASE = "DC=ad,DC=example,DC=test"
ADMINISTRATOR_PASSWORD = "Passw0rd.1"
LDAPS_PORT = 636

SETTINGS = f"""[global]
netbios name = DC1
realm = {REALM}
workgroup = {DOMAIN}
server role = active directory domain controller
server services = ldap, cldap
interfaces = 127.0.0.1/8
bind interfaces only = yes
disable netbios = yes
private dir = /srv/ad/private
state directory = /srv/ad/state
cache directory = /srv/ad/cache
lock directory = /srv/ad
binddns dir = /srv/ad/bind-dns
pid directory = /srv/run
ncalrpc dir = /srv/run/ncalrpc
ntp signd socket directory = /srv/run/ntp
winbindd socket directory = /srv/run/winbindd
tls keyfile = /srv/server.key
tls certfile = /srv/server.crt
tls cafile = /srv/server.crt
"""


class ActiveDirectory(Peers):
    """`peers`: the folder of the unpacked peers. `users`: {name: password}, made with the domain. In an empty network namespace only."""

    def __init__(self, peers, state, users, certificate, key):
        root, domain = peers / "samba", peers / "samba.domain"
        if not (root / "usr/sbin/samba").exists():
            raise AssertionError(f"Samba is not unpacked in {root}: tests/run-tests does it")
        super().__init__(root, state)
        if not (domain / f"users-{'-'.join(sorted(users))}").exists():
            self._make_domain(domain, users)
        subprocess.run(["cp", "-a", domain / "ad", self.state / "ad"], check=True)
        (self.state / "smb.conf").write_text(SETTINGS)
        self.folder("run")
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            shutil.copy(source, self.state / name)
        os.chmod(self.state / "server.key", 0o600)
        self.start("samba", "/usr/sbin/samba", "-s", "/srv/smb.conf", "-i", "--debug-stdout", "-d1")
        wait_for("samba", lambda: answers(LDAPS_PORT))

    def _make_domain(self, domain, users):
        begun = domain.with_suffix(".begun")
        for old in (domain, begun):
            shutil.rmtree(old, ignore_errors=True)
        begun.mkdir()
        tool = [HERE / "enter", self.root, begun, "/usr/bin/samba-tool"]
        words = ["domain", "provision", f"--realm={REALM}", f"--domain={DOMAIN}", "--server-role=dc", "--dns-backend=NONE", f"--adminpass={ADMINISTRATOR_PASSWORD}", "--targetdir=/srv/ad",
                 "--host-name=dc1", "--host-ip=127.0.0.1", "--use-rfc2307", "--option=interfaces=lo", "--option=bind interfaces only=yes"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        self._run([*tool, *words], environment)
        for name, password in users.items():
            self._run([*tool, "user", "create", name, password, f"--mail-address={name}@example.test", "-s", "/srv/ad/etc/smb.conf", "-H", "/srv/ad/private/sam.ldb"], environment)
        (begun / f"users-{'-'.join(sorted(users))}").touch()
        os.rename(begun, domain)

    @staticmethod
    def _run(words, environment):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise AssertionError(f"{words[3]} {words[4]}: {done.stdout}{done.stderr}")
