"""dkimpy as the other side of dkim_interop_test.cpp.

key                                    prints a new RSA key as PEM
verify MESSAGE_FILE RECORD             prints "pass" or "fail"
sign MESSAGE_FILE KEY_FILE ALGORITHM HEADER_FORM BODY_FORM   prints the DKIM-Signature field
"""
import sys
import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def main():
    if sys.argv[1] == "key":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        sys.stdout.buffer.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return
    message = open(sys.argv[2], "rb").read()
    if sys.argv[1] == "verify":
        record = sys.argv[3].encode()
        print("pass" if dkim.verify(message, dnsfunc=lambda name, timeout=5: record, minkey=1024) else "fail")
        return
    key = open(sys.argv[3], "rb").read()
    field = dkim.sign(message, b"sel", b"example.com", key, canonicalize=(sys.argv[5].encode(), sys.argv[6].encode()),
                      signature_algorithm=sys.argv[4].encode())
    sys.stdout.buffer.write(field)


main()
