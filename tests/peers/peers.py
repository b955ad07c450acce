"""Real servers on 127.0.0.1 and free ports, from the private tree that `unpack` makes.

Each runs in a mount namespace of its own that ends with it; all files lie in one state folder.
Used by `make run`, the scenarios, the fault tests and the benchmarks.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, ready, seconds=30):
    """Polls `ready` until it is true; the wait of last resort for servers that do not say when they are up."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come up in {seconds} s")
        time.sleep(0.02)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def make_certificate(folder, name):
    """A self-signed certificate: NAME.crt and NAME.key. Returns both paths."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return certificate, key


def takes_tokens(folder, introspection_url):
    """Dovecot's settings for XOAUTH2: every token is looked up at the introspection endpoint (RFC 7662)."""
    (folder / "oauth2.conf").write_text(f"""introspection_mode = post
introspection_url = {introspection_url}
username_attribute = username
active_attribute = active
active_value = true
""")
    return f"""passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = /srv/{folder.name}/oauth2.conf
}}
"""


class Peers:
    def __init__(self, root, state):
        self.root, self.state = pathlib.Path(root), pathlib.Path(state)
        self.processes = {}
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir(parents=True)
        os.chmod(self.state, 0o755)

    def folder(self, name, owner=None):
        path = self.state / name
        path.mkdir(parents=True, exist_ok=True)
        if owner is not None:
            os.chown(path, owner, owner)
        return path

    def start(self, name, *command, root=None):
        log = open(self.state / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen([HERE / "enter", root or self.root, self.state, *map(str, command)], stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log, start_new_session=True)

    def stop(self, name=None):
        """Ends the servers that this object started, by process group."""
        chosen = [name] if name else list(self.processes)
        for each in chosen:
            self.signal(each, signal.SIGTERM)
        for each in chosen:
            process = self.processes.pop(each)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def signal(self, name, number):
        try:
            os.killpg(self.processes[name].pid, number)
        except ProcessLookupError:
            pass

    # knot: an authoritative DNS server for the zones given as {name: text of records}.
    def start_dns(self, zones):
        self.dns_port = free_port()
        folder = self.folder("dns")
        for zone, records in zones.items():
            head = f"$ORIGIN {zone}.\n$TTL 60\n@ SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 60\n@ NS ns.{zone}.\nns A 127.0.0.1\n"
            (folder / f"{zone}.zone").write_text(head + records)
        listed = "".join(f"  - domain: {zone}\n" for zone in zones)
        (folder / "knot.conf").write_text(f"""server:
    listen: 127.0.0.1@{self.dns_port}
    rundir: /srv/dns
    user: root:root
log:
  - target: stderr
    any: warning
database:
    storage: /srv/dns/db
template:
  - id: default
    storage: /srv/dns
    file: "%s.zone"
zone:
{listed}""")
        self.start("knot", "/usr/sbin/knotd", "-c", "/srv/dns/knot.conf")
        wait_for("knot", lambda: answers(self.dns_port))
        return self.dns_port

    # slapd with a few people, LDAPS and StartTLS; binds and searches only over TLS.
    def start_directory(self, manager_password, people, name="ldap.example.test"):
        self.ldap_port, self.ldaps_port = free_port(), free_port()
        folder = self.folder("ldap", 707)
        self.folder("ldap/data", 707)
        self.certificate, key = make_certificate(folder, name)
        os.chown(key, 707, 707)
        (folder / "slapd.conf").write_text(f"""include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile /srv/ldap/slapd.pid
TLSCertificateFile /srv/ldap/{name}.crt
TLSCertificateKeyFile /srv/ldap/{name}.key
TLSCACertificateFile /srv/ldap/{name}.crt
security tls=1
loglevel stats
database mdb
maxsize 67108864
suffix "dc=example,dc=test"
rootdn "cn=manager,dc=example,dc=test"
rootpw {manager_password}
directory /srv/ldap/data
""")
        entries = "dn: dc=example,dc=test\nobjectClass: domain\ndc: example\n\n"
        entries += "".join(f"dn: ou={unit},dc=example,dc=test\nobjectClass: organizationalUnit\nou: {unit}\n\n" for unit in ("people", "private"))
        entries += "".join(f"dn: cn={person},ou=people,dc=example,dc=test\nobjectClass: inetOrgPerson\ncn: {person}\nsn: {person}\nmail: {person}@example.test\nuserPassword: hidden-{person}\n\n"
                           for person in people)
        (folder / "people.ldif").write_text(entries)
        subprocess.run([HERE / "enter", self.root, self.state, "/usr/sbin/slapadd", "-f", "/srv/ldap/slapd.conf", "-l", "/srv/ldap/people.ldif"], check=True, capture_output=True)
        for path in (folder / "data").iterdir():
            os.chown(path, 707, 707)
        self.start("ldap", "/usr/sbin/slapd", "-d", "stats", "-u", "openldap", "-g", "openldap", "-f", "/srv/ldap/slapd.conf",
                   "-h", f"ldap://127.0.0.1:{self.ldap_port}/ ldaps://127.0.0.1:{self.ldaps_port}/")
        wait_for("slapd", lambda: answers(self.ldap_port) and answers(self.ldaps_port))

    # Dovecot with TLS only, as a company's mailbox server: IMAP and POP3, from the first byte and by STARTTLS.
    def start_mailbox_server(self, users, mechanisms="plain login scram-sha-256", name="imap.example.test", extra="", introspection_url=None):
        self.imaps_port, self.pop3s_port, self.imap_tls_port, self.pop3_tls_port = (free_port() for _ in range(4))
        folder = self.folder("mailboxes")
        self.folder("mailboxes/mail", 704)
        self.certificate, _ = make_certificate(folder, name)
        (folder / "users").write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items()))
        if introspection_url:
            extra += takes_tokens(folder, introspection_url)
        (folder / "dovecot.conf").write_text(f"""base_dir = /srv/mailboxes/run
state_dir = /srv/mailboxes/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
ssl = required
ssl_cert = </srv/mailboxes/{name}.crt
ssl_key = </srv/mailboxes/{name}.key
auth_mechanisms = {mechanisms}
auth_verbose = yes
first_valid_uid = 100
mail_uid = vmail
mail_gid = vmail
mail_location = maildir:/srv/mailboxes/mail/%u/Maildir
mail_fsync = never
mail_max_userip_connections = 200
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u /srv/mailboxes/users
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/srv/mailboxes/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap_tls_port}
  }}
  inet_listener imaps {{
    port = {self.imaps_port}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.pop3_tls_port}
  }}
  inet_listener pop3s {{
    port = {self.pop3s_port}
    ssl = yes
  }}
}}
service stats {{
  client_limit = 1000
}}
{extra}""")
        self.start("mailboxes", "/usr/sbin/dovecot", "-F", "-c", "/srv/mailboxes/dovecot.conf")
        wait_for("dovecot", lambda: all(answers(port) for port in (self.imaps_port, self.pop3s_port, self.imap_tls_port, self.pop3_tls_port)))

    # Radicale: CalDAV and CardDAV over TLS for the users given as {address: password}; a Python program, unpacked beside the mail servers with its own
    # Python. `plain` is for a test that stands where authd stands: the same accounts without TLS.
    def start_dav_server(self, users, name="dav.example.test", plain=False):
        folder = self.folder("radicale")
        self.dav_folder = self.folder("radicale/collections")
        self.dav_certificate, _ = make_certificate(folder, name)
        (folder / "users").write_text("".join(f"{user}:{password}\n" for user, password in users.items()))

        def serve(process, tls):
            port = free_port()
            (folder / f"{process}.ini").write_text(f"""[server]
hosts = 127.0.0.1:{port}
max_connections = 50
ssl = {tls}
certificate = /srv/radicale/{name}.crt
key = /srv/radicale/{name}.key
[auth]
type = htpasswd
htpasswd_filename = /srv/radicale/users
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = /srv/radicale/collections
[logging]
level = info
""")
            self.start(process, "/usr/bin/python3", "-m", "radicale", "--config", f"/srv/radicale/{process}.ini", root=self.root.parent / "radicale")
            wait_for("radicale", lambda: answers(port))
            return port
        self.dav_port = serve("radicale", True)
        self.dav_plain_port = serve("radicale-plain", False) if plain else None

    # Dovecot: IMAP for the users given as {address: password}, LMTP and SASL for Postfix. With the name of a certificate also IMAPS.
    def start_dovecot(self, users, mechanisms="plain login", tls_name=None, introspection_url=None):
        self.imap_port, self.lmtp_port, self.sasl_port = free_port(), free_port(), free_port()
        imaps_port = free_port() if tls_name else 0
        folder = self.folder("dovecot")
        tls = "ssl = no"
        if tls_name:
            self.imaps_port = imaps_port
            self.imap_certificate, _ = make_certificate(folder, tls_name)
            tls = f"ssl = yes\nssl_cert = </srv/dovecot/{tls_name}.crt\nssl_key = </srv/dovecot/{tls_name}.key"
        self.folder("dovecot/mail", 704)
        (folder / "users").write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items()))
        tokens = takes_tokens(folder, introspection_url) if introspection_url else ""
        (folder / "dovecot.conf").write_text(f"""base_dir = /srv/dovecot/run
state_dir = /srv/dovecot/state
log_path = /dev/stderr
protocols = imap lmtp
listen = 127.0.0.1
{tls}
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
first_valid_uid = 100
mail_uid = vmail
mail_gid = vmail
mail_location = maildir:/srv/dovecot/mail/%u/Maildir
mail_fsync = never
maildir_very_dirty_syncs = yes
mmap_disable = no
auth_username_format = %Lu
lmtp_add_received_header = no
recipient_delimiter = +
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u /srv/dovecot/users
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/srv/dovecot/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  process_limit = 20
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.lmtp_port}
  }}
}}
service auth {{
  inet_listener auth-client {{
    address = 127.0.0.1
    port = {self.sasl_port}
  }}
}}
service stats {{
  client_limit = 1000
}}
{tokens}""")
        self.start("dovecot", "/usr/sbin/dovecot", "-F", "-c", "/srv/dovecot/dovecot.conf")
        wait_for("dovecot", lambda: answers(self.imap_port) and answers(self.lmtp_port))
        return self.imap_port

    # Postfix as a company's own mail server: takes mail only over TLS from who signs in, delivers by LMTP to Dovecot.
    def start_postfix(self, domain, name="mail", extra=""):
        self.smtp_port = free_port()
        folder = self.folder("postfix")
        self.certificate, _ = make_certificate(folder, f"{name}.{domain}")
        self._postfix(folder, f"""myhostname = {name}.{domain}
virtual_mailbox_domains = {domain}
virtual_transport = lmtp:inet:127.0.0.1:{self.lmtp_port}
virtual_mailbox_maps = static:ok
smtpd_tls_cert_file = /srv/postfix/{name}.{domain}.crt
smtpd_tls_key_file = /srv/postfix/{name}.{domain}.key
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{self.sasl_port}
smtpd_sasl_auth_enable = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
""" + extra, f"127.0.0.1:{self.smtp_port} inet n - n - - smtpd\n")
        wait_for("postfix", lambda: answers(self.smtp_port))
        return self.smtp_port

    def _postfix(self, folder, settings, services):
        for name, owner in (("spool", 0), ("data", 701), ("etc", 0)):
            self.folder(f"{folder.name}/{name}", owner)
        base = f"/srv/{folder.name}"
        (folder / "etc/main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {base}/spool
data_directory = {base}/data
maillog_file = /dev/stdout
inet_protocols = ipv4
inet_interfaces = loopback-only
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
import_environment = MAIL_CONFIG
{settings}""")
        (folder / "etc/master.cf").write_text(services + """pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
postlog unix-dgram n - n - 1 postlogd
""")
        self.start(folder.name, "/usr/sbin/postfix", "-c", f"{base}/etc", "start-fg")

    # Postfix as a plain relay to a next hop: the peer of the benchmarks, run fairly.
    def start_relay(self, next_hop_port, processes=200):
        port = free_port()
        self._postfix(self.folder("relay"), f"""myhostname = relay.example.test
relayhost = [127.0.0.1]:{next_hop_port}
default_process_limit = {processes}
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
disable_dns_lookups = yes
default_destination_concurrency_limit = 50
initial_destination_concurrency = 20
smtp_tls_security_level = none
""", f"127.0.0.1:{port} inet n - n - - smtpd\n")
        wait_for("postfix", lambda: answers(port))
        return port

    # clamd with one harmless signature of its own: the EICAR test file.
    def start_clamd(self):
        folder = self.folder("clamd", 705)
        database = self.folder("clamd/database", 705)
        eicar = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
        (database / "local.ndb").write_text(f"Local.Eicar-Test:0:*:{eicar.hex()}\n")
        (folder / "clamd.conf").write_text("""LocalSocket /srv/clamd/clamd.sock
LocalSocketMode 666
DatabaseDirectory /srv/clamd/database
User clamav
Foreground yes
MaxThreads 4
StreamMaxLength 100M
""")
        self.start("clamd", "/usr/sbin/clamd", "--config-file=/srv/clamd/clamd.conf")
        path = self.state / "clamd/clamd.sock"
        wait_for("clamd", path.exists)
        return path
