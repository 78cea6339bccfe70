"""The requests to the master: HTTP with keep-alive, and patience when it does not answer.

Every request may be repeated safely, so one that got no answer is asked again until the grace time
is over. What the requests mean is left to their senders.
"""

import http.client
import random
import socket
import threading
import time
from typing import Callable, Iterator, List, Optional, Tuple, Union
from urllib.parse import urlencode

from .. import exits, log
from .connection import MasterAddress, connection_to, describe, watch_for_death
from .multipart import BodyGone, RequestBody
from .reply import CannotKeep, Reply, has_no_length, read_body

# Seconds for a connection. The first one is short: the person who started the client waits for it.
FIRST_CONNECT, CONNECT = 5.0, 15.0
# Seconds for an answer: to results, which the master may have to judge and store, and to the rest.
PATIENT, SOON = 600.0, 30.0
MOST_SERVER_ERRORS = 8  # tries of a request that the master answers with 5xx
MOST_BROKEN = 50  # tries of a request whose body breaks off: some 100 s, in case of a bad link

Query = List[Tuple[str, Union[str, int]]]


class MasterGone(exits.Ending):
    """Raised when the master has not answered for the grace time."""


class UploadBrokenOff(Exception):
    """Raised when the master is there, but the connection breaks each time that a body is sent."""


class Stopping(Exception):
    """Raised when the client is ending: no request is answered any more."""


class Master:
    """The master as all threads know it: its address, our names there, and since when it is silent.

    Lives as long as the client.
    """

    def __init__(
        self, address: MasterAddress, session: str, reread: Callable[[], Optional[MasterAddress]]
    ) -> None:
        """Know the master at this address.

        `reread` returns the address that was handed over since, if any.
        """
        self.address, self.session = address, session
        self.client = ""  # our name at the master, once we have registered
        self.grace = 180.0  # seconds of silence after which the client ends
        self.stopping = threading.Event()  # set when the client ends
        self._reread = reread
        self._silent_since: Optional[float] = None
        self._heard_at = time.monotonic()

    def connection(self, before: Callable[[], None] = lambda: None) -> "MasterConnection":
        """Return a connection for one thread.

        `before` is called before each try; its errors end the request.
        """
        return MasterConnection(self, before)

    def shorten_grace(self, seconds: float) -> None:
        """Be patient with a silent master for so many seconds at most."""
        self.grace = min(self.grace, seconds)

    def heard(self) -> None:
        """Note that the master has answered."""
        self._silent_since = None
        self._heard_at = time.monotonic()

    def unheard(self, began: float, fault: Exception) -> None:
        """Note that a request that began then was not answered.

        Look for a new address of the master.

        Raises MasterGone after the grace time.
        """
        since = self._silent_since
        if since is None:
            # Not simply `began`: another thread may have been answered meanwhile.
            since = self._silent_since = max(began, self._heard_at)
            text = "the master does not answer (%s); waiting up to %g s"
            log.say(text % (describe(fault), self.grace))
        if time.monotonic() - since >= self.grace:
            text = "the master has not answered for %g s (%s)" % (self.grace, describe(fault))
            raise MasterGone(exits.NOT_REACHED, text)
        new = self._reread()
        if new is not None and new != self.address:
            self.address = new
            log.say("the master's address is now %s" % new.url)


class MasterConnection:
    """A keep-alive connection to the master, used by one thread for as long as it lives."""

    def __init__(self, master: Master, before: Callable[[], None] = lambda: None) -> None:
        """Connect at the first request.

        `before` is called before each try; its errors end the request.
        """
        self.master, self._before = master, before
        self._connection: Optional[http.client.HTTPConnection] = None
        self._address: Optional[MasterAddress] = None

    def ask(
        self,
        path: str,
        query: Query,
        body: Optional[RequestBody] = None,
        timeout: float = SOON,
        into: Optional[str] = None,
    ) -> Reply:
        """Ask until there is an answer, and return it.

        A server error is repeated a few times; 403 ends the client. `into` is a file that takes the
        body of a 200; OSError is raised when it cannot. Raises MasterGone, Stopping,
        UploadBrokenOff.
        """
        errors = broken = 0
        for delay in _delays():
            self._before()
            began = time.monotonic()
            reused = self._connection is not None
            try:
                reply = self.once(path, query, body, timeout, into)
            except CannotKeep as fault:
                self.close()
                raise fault.why
            except (OSError, http.client.HTTPException) as fault:
                broken += int(body is not None and self._connection is not None)
                self.close()
                self._go_on_after(fault, began, broken, reused)
                if reused:  # a kept connection may just have been closed as idle: try a new one
                    continue
            else:
                errors += 1
                if reply.status < 500 or reply.status == 503 or errors >= MOST_SERVER_ERRORS:
                    return reply
            self.master.stopping.wait(delay)
        raise AssertionError("unreachable")

    def _go_on_after(self, fault: Exception, began: float, broken: int, reused: bool) -> None:
        """Raise what ends the request, if there is no use in trying again after this fault."""
        if self.master.stopping.is_set():
            raise Stopping()
        if broken >= MOST_BROKEN:
            raise UploadBrokenOff("it broke off %d times (%s)" % (broken, describe(fault)))
        if not reused or isinstance(fault, socket.timeout):
            self.master.unheard(began, fault)

    def once(
        self,
        path: str,
        query: Query,
        body: Optional[RequestBody] = None,
        timeout: float = SOON,
        into: Optional[str] = None,
        connect: float = CONNECT,
    ) -> Reply:
        """Ask one time. Raises OSError or HTTPException when there is no whole answer."""
        connection = self._connected(connect)
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        whole = self._send(connection, path, query, body)
        response = connection.getresponse()
        content = read_body(response, into if response.status == 200 else None)
        if not whole or response.will_close or has_no_length(response):
            self.close()
        self.master.heard()
        reply = Reply(response.status, response.headers, content)
        if reply.status == 403:
            text = "the master refuses: 403 %s%s"
            raise exits.SessionRefused(text % (reply.text, _hint(reply.text)))
        return reply

    def close(self) -> None:
        """Close the connection. Another thread's request on it ends at once."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        sock = connection.sock
        try:
            if sock is not None:
                # close() alone would leave a thread that waits in recv where it is.
                sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # the socket was no longer connected
            pass
        connection.close()

    def _connected(self, connect: float) -> http.client.HTTPConnection:
        if self._connection is not None and self._address is not self.master.address:
            self.close()
        if self._connection is None:
            self._address = self.master.address
            self._connection = connection_to(self._address, connect)
            self._connection.connect()
            watch_for_death(self._connection.sock)
        return self._connection

    def _send(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        query: Query,
        body: Optional[RequestBody],
    ) -> bool:
        """Send a request. Return False when the master stopped reading.

        It may have said why, so its answer is read all the same.
        """
        known: Query = [("sessionID", self.master.session)]
        if self.master.client:
            known.append(("client", self.master.client))
        asked = urlencode(known + query, errors="surrogateescape")
        target = "%s%s?%s" % (self._address.prefix if self._address else "", path, asked)
        try:
            if body is None:
                connection.request("GET", target)
            else:
                connection.request("POST", target, body=body.content(), headers=body.headers)
        except socket.timeout:
            raise
        except OSError:
            return False
        except BodyGone:
            self.close()
            raise
        return True


def _hint(text: str) -> str:
    """Return what helps against a session that has ended, or is another sweep's; else ""."""
    if text != "wrong session ID":
        return ""
    return (
        " (each run has its own: take `session` in its runs/NAME/master.json, "
        "or the lines that `spe run --hosts none` prints)"
    )


def _delays() -> Iterator[float]:
    """Yield seconds between tries: they grow, with jitter.

    A thousand clients must not come back in one moment after a restart of the master.
    """
    delay = 0.1
    while True:
        yield delay * random.uniform(0.7, 1.3)
        delay = min(2.0, delay * 1.6)
