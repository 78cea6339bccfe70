"""Sends a message as the JSON body of a POST request.

The object has `subject` and `text`, which chat servers show, and the facts of the run.
"""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request

from ..disk_errors import reason
from ..version import __version__
from .message import Message
from .not_sent import NotSent

LIMIT = 10.0  # seconds that the server may be silent
_LATER = (408, 425, 429)  # answers that ask for another try


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would send the address's token elsewhere, and a POST becomes a GET."""

    def redirect_request(self, *given: object) -> None:
        return None


def send(url: str, message: Message) -> None:
    """Send it. Raises NotSent, whose reason has no part of the URL."""
    from base64 import b64encode
    from urllib.parse import unquote, urlsplit, urlunsplit

    head = {
        "Content-Type": "application/json",
        "User-Agent": f"spe/{__version__}",
        # The same at each try, for servers that know it.
        "Idempotency-Key": message.ident,
    }
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    if at:  # urllib takes no user in a URL
        head["Authorization"] = f"Basic {b64encode(unquote(login).encode()).decode()}"
    body = {"subject": message.subject, "text": f"{message.subject}\n{message.text}", **message.facts}
    data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    request = urllib.request.Request(
        urlunsplit((parts.scheme, place, parts.path, parts.query, "")), data, head, method="POST"
    )
    opener = urllib.request.build_opener(_NoRedirects())
    try:
        with opener.open(request, timeout=LIMIT) as answer:
            answer.read(1000)
    except urllib.error.HTTPError as error:
        again = error.code >= 500 or error.code in _LATER
        error.close()
        raise NotSent(f"the server answered {error.code}", again, str(error.reason)) from error
    except urllib.error.URLError as error:
        raise _unreachable(error.reason) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(error) from error


def _unreachable(error: object) -> NotSent:
    if isinstance(error, ssl.SSLCertVerificationError):
        return NotSent(f"the server's certificate is not trusted: {error.verify_message}", again=False)
    if isinstance(error, TimeoutError):
        return NotSent(f"the server was silent for {LIMIT:g} s")
    if isinstance(error, OSError) and error.errno:
        return NotSent(f"the server cannot be reached: {reason(error)}")
    return NotSent(f"the server cannot be reached ({type(error).__name__})")
