"""Real database servers in a temporary folder, run by an account without rights."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from needs import missing, need_program
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from waiting import wait_until

ANYBODY = "nobody"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Server:
    """A server that can be killed and started again. Its databases are on disk."""

    scheme = ""
    first_database = ""  # one that is always there

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spe-registry-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, ANYBODY)
        self.port = free_port()
        self._count = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.make()
        self.start()

    def make(self) -> None:
        """Make the files of the server."""
        raise NotImplementedError

    def words(self) -> list[str]:
        """Return the command that runs it."""
        raise NotImplementedError

    def as_anybody(self, *words: str) -> list[str]:
        """Return these words as a command of an account without rights, which ends with the tests."""
        rights = ["--reuid", ANYBODY, "--regid", "nogroup", "--clear-groups"] if os.geteuid() == 0 else []
        return [need_program("setpriv", "util-linux"), *rights, "--pdeathsig", "KILL", *words]

    def run(self, *words: str) -> None:
        done = subprocess.run(self.as_anybody(*words), capture_output=True, text=True, cwd=self.folder, timeout=60)
        assert done.returncode == 0, done

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(self.as_anybody(*self.words()), stdout=log, stderr=log, cwd=self.folder)
        wait_until(self.answers, f"{self.scheme} answers", story=(self.folder / "log").read_text)

    def answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self.folder / "log").read_text()
        try:
            self.execute("SELECT 1")
        except DBAPIError:
            return False
        return True

    def processes(self) -> list[int]:
        """Return all processes that work in its folder, whoever their parent is by now."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cwd").readlink().is_relative_to(self.folder):
                    found.append(int(entry.name))
            except OSError:  # it has ended, or belongs to another account
                continue
        return found

    def signal(self, number: int) -> list[int]:
        """Send a signal to all processes of the server, and return them."""
        found = self.processes()
        for one in found:
            with suppress(ProcessLookupError):
                os.kill(one, number)
        return found

    def kill(self) -> None:
        """End it as a power cut does, and wait until none of its processes is left.

        Children end after the process that was waited for, and the last one may have been forked after the look.
        PostgreSQL does not start while one of them has its shared memory.
        """
        assert self.process is not None
        wait_until(lambda: not self.signal(signal.SIGKILL), f"no process of {self.scheme} is left")
        self.process.wait()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(self, words: str) -> None:
        engine = create_engine(self.url(self.first_database), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(words))

    def new_database(self) -> str:
        """Return the name of a new empty database."""
        self._count += 1
        name = f"farm{self._count}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def url(self, database: str, port: int = 0) -> str:
        return f"{self.scheme}://{self.user}@127.0.0.1:{port or self.port}/{database}"

    user = ""


class PostgreSQL(Server):
    scheme = "postgresql+psycopg"
    first_database = "postgres"
    user = "spe"

    def program(self, name: str) -> str:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return shutil.which(name) or (str(found[-1]) if found else missing(f"needs {name}: apt-get install postgresql"))

    def make(self) -> None:
        words = ("-A", "trust", "-U", self.user, "--no-sync", "-E", "UTF8", "--locale=C")
        self.run(self.program("initdb"), "-D", f"{self.folder}/data", *words)

    def words(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder), "fsync": "off",
            "full_page_writes": "off", "synchronous_commit": "on",
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self.program("postgres"), "-D", f"{self.folder}/data", "-p", str(self.port), *options]


class MariaDB(Server):
    scheme = "mariadb+pymysql"
    first_database = "mysql"
    user = "root"

    def make(self) -> None:
        install = need_program("mariadb-install-db", "mariadb-server")
        words = ("--auth-root-authentication-method=normal", "--skip-test-db")
        self.run(install, "--no-defaults", f"--datadir={self.folder}/data", *words)

    def words(self) -> list[str]:
        return [
            need_program("mariadbd", "mariadb-server"), "--no-defaults", f"--datadir={self.folder}/data",
            f"--socket={self.folder}/s", f"--port={self.port}", "--bind-address=127.0.0.1",
            f"--pid-file={self.folder}/pid", "--skip-log-bin", "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=2", "--skip-name-resolve",
            "--innodb-file-per-table=0", "--innodb-doublewrite=0", "--innodb-flush-method=nosync",
        ]  # fmt: skip


SERVERS: dict[str, type[Server]] = {"postgresql": PostgreSQL, "mariadb": MariaDB}
