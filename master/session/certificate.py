"""The master's certificate: made once a session, known by its fingerprint and not by its name.

Only here, and below launch/, is cryptography known. It takes a twentieth of a second to load, so only a run that
speaks HTTPS imports this file.
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

LIFETIME = datetime.timedelta(days=3650)


def make_certificate() -> tuple[str, str]:
    """A self-signed certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "spe master")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Hosts' clocks may be off by days; a pinned certificate needs no narrow bounds.
        .not_valid_before(now - datetime.timedelta(days=365))
        .not_valid_after(now + LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii"),
    )


def check_valid(der: bytes) -> None:
    """Raises ValueError when its time is over: our clients know it by its fingerprint alone, others look at dates."""
    end = x509.load_der_x509_certificate(der).not_valid_after_utc
    if end < datetime.datetime.now(datetime.UTC):
        raise ValueError(f"its certificate has expired, on {end:%Y-%m-%d}")


def key_pin(certificate: Path) -> str:
    """The public key of a PEM certificate as curl's --pinnedpubkey wants it."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode("ascii")
