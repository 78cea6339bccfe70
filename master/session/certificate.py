"""The master's certificate: made once a session, known by its fingerprint and not by its name.

This file, and launch/, alone use the library cryptography. It takes 0.05 s to load, so only a run
that speaks HTTPS imports this file.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Longer than any run; a session that outlives it gets a new one
LIFETIME = datetime.timedelta(days=3650)
# Hosts' clocks may be off by days, and a pinned certificate needs no narrow bounds.
CLOCKS = datetime.timedelta(days=365)


def make_certificate() -> tuple[str, str]:
    """Return a new self-signed certificate and its key, as PEM."""
    # An elliptic curve: an RSA key of the same strength takes more than half a second to make.
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "spe master")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS)
        .not_valid_after(now + LIFETIME)
        .sign(key, hashes.SHA256())
    )
    # Without a passphrase: the file is readable for its user alone, and a master that comes back
    # asks nobody.
    secret = key.private_bytes(
        encoding=serialization.Encoding.PEM,
        format=serialization.PrivateFormat.PKCS8,
        encryption_algorithm=serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"), secret.decode(
        "ascii"
    )


def check_valid(der: bytes) -> None:
    """Raise ValueError when a certificate has expired.

    Our clients look at its fingerprint alone, others at dates.
    """
    end = x509.load_der_x509_certificate(der).not_valid_after_utc
    if end < datetime.datetime.now(datetime.UTC):
        raise ValueError(f"its certificate has expired, on {end:%Y-%m-%d}")


def key_pin(certificate: Path) -> str:
    """Return the public key of a PEM certificate in the form of curl's --pinnedpubkey."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode("ascii")
