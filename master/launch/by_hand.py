"""Lines for a shell that start a client by hand, on any machine that reaches the master.

The session ID is in here-documents only, so that it is on no command line, where `ps` shows it.
"""

from __future__ import annotations

import shlex

from . import Offer

CLIENT = "spe-client.pyz"


def lines(url: str, offer: Offer, pin: str) -> str:
    """Return shell lines that fetch the client and start it; they work when pasted as they are.

    `url`: of the master. `pin`: public key of its certificate, in the form that curl takes.
    """
    trust = ""
    known = ""
    if offer.tls:
        # -k with a pin: the certificate is our own, which no authority has signed.
        trust = f" -k --pinnedpubkey {shlex.quote(pin)}"
        known = f" --fingerprint {offer.fingerprint}"
    return (
        f"curl -fsS{trust} -o {CLIENT} -K - <<'END'\n"
        f'url = "{url}/client?sessionID={offer.session}"\n'
        "END\n"
        f"python3 {CLIENT} --master {shlex.quote(url)}{known} <<'END'\n"
        f"{offer.session}\n"
        "END\n"
    )
