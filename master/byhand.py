"""How to start a client by hand: lines for a shell on any machine that reaches the master.

The session ID stands in here-documents only, so that it is on no command line.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .launch import Offer

CLIENT = "spe-client.pyz"


def key_pin(certificate: Path) -> str:
    """The public key of a PEM certificate as curl's --pinnedpubkey wants it."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode("ascii")


def lines(url: str, offer: Offer, pin: str) -> str:
    """Shell lines that fetch the client and start it; they work when pasted, also indented by nothing."""
    trust = f" -k --pinnedpubkey {shlex.quote(pin)}" if offer.tls else ""
    known = f" --fingerprint {offer.fingerprint}" if offer.tls else ""
    return (
        f"curl -fsS{trust} -o {CLIENT} -K - <<'END'\n"
        f'url = "{url}/client?sessionID={offer.session}"\n'
        "END\n"
        f"python3 {CLIENT} --master {shlex.quote(url)}{known} <<'END'\n"
        f"{offer.session}\n"
        "END\n"
    )
