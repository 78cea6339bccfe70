"""How to start a client by hand: lines for a shell on any machine that reaches the master.

The session ID stands in here-documents only, so that it is on no command line.
"""

from __future__ import annotations

import shlex

from . import Offer

CLIENT = "spe-client.pyz"


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
