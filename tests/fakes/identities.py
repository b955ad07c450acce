"""Certificates for servers that are who they say, and for those that are not."""
import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
DAY = datetime.timedelta(days=1)


class Authority:
    def __init__(self, folder, name):
        self.folder, self.name, self.key = folder, name, ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        constraints = [(x509.BasicConstraints(ca=True, path_length=0), True)]
        self.path = self._write(f"{name}.crt", self._signed(self.subject, self.key.public_key(), NOW + 30 * DAY, constraints))

    def identity(self, label, host, until=NOW + 30 * DAY):
        """(certificate, key) of a server of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._write(f"{label}.crt", self._signed(subject, key.public_key(), until, [(x509.SubjectAlternativeName([x509.DNSName(host)]), False)]))
        path = self.folder / f"{label}.key"
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, path

    def _signed(self, subject, public_key, until, extensions):
        builder = x509.CertificateBuilder(self.subject, subject, public_key, x509.random_serial_number(), NOW - 60 * DAY, until)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def _write(self, name, certificate):
        path = self.folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


def pin_of(certificate):
    """SHA-256 of its public key, as pins are written."""
    public_key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    return hashlib.sha256(public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
