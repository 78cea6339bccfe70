"""A session: its ID, tokens, port and certificate, and the folder in which they lie.

The folder is runs/<name>/session/ (mode 0700, files 0600). It stays after a crash, so that clients
which are still at work find the master that comes back. master.json beside it is for programs: it
tells where the master is.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import socket
import ssl
from dataclasses import asdict, replace
from pathlib import Path

from ..errors import StoreError
from ..record import record
from .folder_identity import KEY, folder_identity, same_folder
from .living import began
from .run_folder import Folder, anchor_of, private_write, real


@record
class Secrets:
    """The facts by which one session is known.

    Each token has 128 random bits or more and is safe in a URL.
    """

    session: str
    read: str  # the page's token for reading
    act: str  # the page's token for acting
    port: int  # the port on which it was served last; 0: none yet
    # Digest of what its clients were told; a run that tells them something else is another session
    told: str = ""
    folder: str = ""  # the identity of runs/<name>/ where it was made; spe 0.1.0 did not write it
    page_port: int = 0  # the port on which its page was served last; 0: none yet


def _checked(held: Secrets) -> Secrets:
    """Return the secrets.

    Raises ValueError for a short token: an empty one would let everybody in.
    """
    tokens = (held.session, held.read, held.act)
    ports = (held.port, held.page_port)
    are_long = all(isinstance(token, str) and len(token) >= 22 for token in tokens)
    if not are_long or not all(isinstance(port, int) for port in ports):
        raise ValueError("a token in it is too short, or the port is no number")
    return held


class Session:
    """The session of one run.

    `resumed`: a master that was killed has left it, so its clients may still be alive.

    A client that was told of another program, or of other results, must not take part in this run.
    So a new session begins then. It begins on the old port, where such a client hears at once that
    it is not wanted.
    """

    def __init__(self, run_folder: Folder, told: str = "") -> None:
        """Take up the session that lies in `run_folder`, or make a new one.

        `told`: digest of what clients are told.
        """
        self.run_folder, self.told = run_folder, told
        self._announced: dict[str, object] = {}
        self._certificate: dict[str, str] = {}  # key and certificate by their files
        self._remove_copied()
        left = self._load()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # a folder that was there before may have another mode
        self.resumed = left is not None and left.told == told
        if left and self.resumed:
            self.secrets = left
        else:
            self.secrets = self._make(left.port if left else 0)

    @property
    def folder(self) -> Path:
        """The path for writing into the session's folder, which may be no path for people."""
        return anchor_of(self.run_folder) / "session"

    @property
    def _identity(self) -> str:
        return folder_identity(anchor_of(self.run_folder))

    def _remove_copied(self) -> None:
        """Remove a session that came with a copy of the run's folder.

        Its clients deliver to the original.
        """
        try:
            facts = json.loads((self.folder / "secrets.json").read_text(encoding="utf-8"))
            copied = not same_folder(facts, anchor_of(self.run_folder))
        except (OSError, ValueError, AttributeError):
            return  # there is none, or _load says what is wrong with it
        if copied:
            self._master_json.unlink(missing_ok=True)
            shutil.rmtree(self.folder)

    def _make(self, port: int) -> Secrets:
        session, read, act = (secrets.token_urlsafe(24) for _ in range(3))
        made = Secrets(session, read, act, port, self.told, self._identity)
        private_write(self.folder / "secrets.json", json.dumps(asdict(made)))
        return made

    def _load(self) -> Secrets | None:
        path = self.folder / "secrets.json"
        if not path.exists():
            return None
        try:
            return _checked(Secrets(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as error:
            raise self._damaged(path, error) from error

    def _damaged(self, path: Path, error: Exception) -> StoreError:
        folder = real(self.run_folder) / "session"
        return StoreError(
            f"the session of an interrupted run cannot be read: {error}",
            where=str(folder / path.name),
            todo=f"Remove the folder {folder} to begin a new session; finished sets are kept.",
        )

    def served_on(self, port: int) -> None:
        """Store the port, for the clients that look for the master after a crash."""
        self._keep(replace(self.secrets, port=port, folder=self._identity))

    def page_served_on(self, port: int) -> None:
        """Store the page's port, for pages that stay open in browsers over a crash."""
        self._keep(replace(self.secrets, page_port=port, folder=self._identity))

    def _keep(self, secrets: Secrets) -> None:
        self.secrets = secrets
        private_write(self.folder / "secrets.json", json.dumps(asdict(secrets)))

    def tls(self) -> tuple[ssl.SSLContext, str]:
        """Return the server's TLS context and the SHA-256 fingerprint of its certificate.

        The certificate is made when there is none."""
        # Late: a run on this machine alone needs none
        from .certificate import check_valid, make_certificate

        certificate, key = self.folder / "certificate.pem", self.folder / "key.pem"
        if not (certificate.exists() and key.exists()):
            pem, key_pem = make_certificate()
            # First: a certificate without its key would be taken for a whole pair
            private_write(key, key_pem)
            private_write(certificate, pem)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(certificate, key)
            der = ssl.PEM_cert_to_DER_cert(certificate.read_text(encoding="ascii"))
            check_valid(der)
            self._certificate = {
                file.name: file.read_text(encoding="ascii") for file in (key, certificate)
            }
        except (ssl.SSLError, ValueError) as error:
            raise self._damaged(certificate, error) from error
        return context, hashlib.sha256(der).hexdigest()

    def announce(self, url: str, page: str, fingerprint: str) -> None:
        """Write master.json, for programs on this machine: where the master is, and which process."""
        self._announced = {
            "url": url,
            "page": page,
            "session": self.secrets.session,
            "fingerprint": fingerprint,
            "pid": os.getpid(),
            "began": began(os.getpid()),  # process numbers are used again
            "host": socket.gethostname(),
            KEY: self._identity,
        }
        self._write_announced()

    def _write_announced(self) -> None:
        private_write(self._master_json, json.dumps(self._announced, indent=1) + "\n")

    @property
    def _master_json(self) -> Path:
        return anchor_of(self.run_folder) / "master.json"

    def _missing(self) -> list[str]:
        names = [
            name
            for name in ("secrets.json", *self._certificate)
            if not (self.folder / name).exists()
        ]
        if self._announced and not self._master_json.exists():
            names.append("master.json")
        return names

    @property
    def is_whole(self) -> bool:
        """True while all files of the session are still there."""
        return not self._missing()

    def mend(self) -> list[str]:
        """Write the files again that somebody has removed, and return their names."""
        missing = self._missing()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.secrets = replace(self.secrets, folder=self._identity)  # the folder may be a new one
        if self._announced:
            self._announced[KEY] = self._identity
        kept = {"secrets.json": json.dumps(asdict(self.secrets)), **self._certificate}
        for name in missing:
            if name in kept:
                private_write(self.folder / name, kept[name])
            else:
                self._write_announced()
        return missing

    def end(self) -> None:
        """Remove the session.

        Called once the run has ended: its secrets are worth nothing any more.
        """
        self._master_json.unlink(missing_ok=True)
        # An error is no reason to fail: the sweep is done, and the next run takes what is left for
        # a crash.
        shutil.rmtree(self.folder, ignore_errors=True)
