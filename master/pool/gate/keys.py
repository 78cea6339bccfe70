"""Certificate and key of the farm, made once.

Users pin the certificate when they join, so it stays the same for the life of the farm, on whatever
host it runs.
"""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from ...errors import StoreError
from ...record import record
from ...session.certificate import check_valid, key_pin, make_certificate
from ...session.run_folder import private_write


@record
class Keys:
    """The TLS context of the gate, and by what its users know it.

    fingerprint: SHA-256 of the certificate, in hex. pin: of its key, for curl --pinnedpubkey.
    """

    context: ssl.SSLContext
    fingerprint: str
    pin: str


def load_keys(folder: Path) -> Keys:
    """Return the keys that lie in this folder, made where there are none. Raises StoreError."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One without the other is an error, not a reason for new ones: all users would have to join
        # again. A key alone is what a crash while they are made leaves.
        if not certificate.exists():
            pem, key_pem = make_certificate()
            private_write(key, key_pem)
            private_write(certificate, pem)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        der = ssl.PEM_cert_to_DER_cert(certificate.read_text(encoding="ascii"))
        check_valid(der)
        return Keys(context, hashlib.sha256(der).hexdigest(), key_pin(certificate))
    except (OSError, ValueError) as error:
        todo = "Restore both from a backup. With new ones all users have to join again."
        what = f"the farm's certificate and key cannot be used: {error}"
        raise StoreError(what, where=str(folder), todo=todo) from error
