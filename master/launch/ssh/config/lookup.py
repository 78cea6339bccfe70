"""The user's ssh configuration: ssh is asked what it means, and where there is no ssh it is read here."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from concurrent.futures import Future
from pathlib import Path

from ....errors import ConfigError, Fault, LaunchError
from ....model import Host
from ...pasteable import ssh_words
from . import ask_ssh
from .read_files import exec_places, read_settings, stamp
from .settings import Hangs, NoAddress, Question, Settings, config_files
from .target import Target, make_target, parse_jump
from .tokens import account
from .warn_once import Show, warn_once

# Seconds that an answer serves, so that a jump host of forty hosts is asked for once. Not longer:
# Match looks at networks that come and go.
_MOMENT = 20.0
_LIMIT = 10.0  # seconds for one answer
_reading = threading.Lock()


class _NotAsked(Exception):
    """ssh has no answer, and the files are read here."""


def _unseen(text: str) -> None:
    """Show nothing: the log has the warning."""


def ssh_config(path: Path | None) -> SshConfig:
    """Return the configuration as it is now; all hosts share it while the files stay as they are."""
    with _reading:
        return _made(path, tuple(stamp(file) for file in config_files(path, account()[1])))


@functools.lru_cache(maxsize=4)
def _made(path: Path | None, _stamps: tuple[object, ...]) -> SshConfig:
    return SshConfig(path)


class SshConfig:
    """The ssh configuration of a run, shared by its hosts. `path`: the file of -F."""

    def __init__(self, path: Path | None = None) -> None:
        if path is not None and (path.is_dir() or not path.exists()):
            raise ConfigError(
                "no such ssh configuration file",
                where=str(path),
                todo="Check the path given with -F.",
            )
        self.path = path
        self._lock = threading.Lock()
        self._answers: dict[tuple[Question, str | None], tuple[float, Future[Settings]]] = {}

    def target(self, host: Host, limit: float = _LIMIT, show: Show = _unseen) -> Target:
        """Return the settings for this host; its line in the hosts file wins over the configuration.

        `show`: for warnings. Raises LaunchError when the answer does not come within `limit` seconds.
        """
        question = Question(host.name, host.user, host.port)
        return make_target(question, self._settings(question, limit, show), self.path)

    def jumps(self, target: Target, limit: float = _LIMIT, show: Show = _unseen) -> list[Target]:
        """Return the settings of the hops of ProxyJump, each looked up by its own name as any host."""
        found = []
        for number, spec in enumerate(target.jumps):
            question = parse_jump(spec, target.jumps[:number], target)
            found.append(make_target(question, self._settings(question, limit, show), self.path))
        return found

    def _settings(self, question: Question, limit: float, show: Show) -> Settings:
        """Return the answer to this question; threads with the same question share one."""
        key = (question, ask_ssh.ssh_program())
        now = time.monotonic()
        with self._lock:
            begun, answer = self._answers.get(key, (0.0, None))
            mine = answer is None or now - begun > _MOMENT
            if mine:
                answer = Future()
                self._answers[key] = (now, answer)
        assert answer is not None
        if mine:
            try:
                answer.set_result(self._look_up(question, limit, show))
            except BaseException as error:
                answer.set_exception(error)
        return answer.result()

    def _look_up(self, question: Question, limit: float, show: Show) -> Settings:
        program = ask_ssh.ssh_program()
        try:
            if program is not None:
                with contextlib.suppress(_NotAsked):
                    return self._ask(program, question, limit, show)
            return read_settings(self.path, question, limit, lambda text: warn_once(text, show))
        except Hangs as error:
            raise self._hangs(question, limit, str(error)) from error
        except NoAddress as error:
            what = str(error).removeprefix("ssh: ")
            raise LaunchError(Fault.NAME, what, where=question.name) from error

    def _ask(self, program: str, question: Question, limit: float, show: Show) -> Settings:
        """Return the answer of ssh. Raises _NotAsked, after a warning, when ssh refuses the file."""
        try:
            return ask_ssh.ask(program, self.path, question, limit)
        except ask_ssh.Refused as error:
            what = f"ssh refuses its configuration: {error}. Correct it; until then spe reads it by itself"
            warn_once(f"{what} and leaves out what it does not understand", show)
            raise _NotAsked from error

    def _hangs(self, question: Question, limit: float, place: str) -> LaunchError:
        """Return the error of an answer that did not come. `place`: of the Match line, if known."""
        words = ssh_words(
            question.name, question.user, question.port, self.path, question.before
        )
        places = [place] if place else exec_places(self.path)
        what = f"{self.path or '~/.ssh/config'} gave no answer for it within {limit:g} s"
        if places:
            what += f": does the command of `Match exec` hang ({', '.join(places)})?"
        else:
            what += ": is the name server away, which CanonicalizeHostname asks?"
        return LaunchError(Fault.TIMEOUT, what, where=question.name, todo=f"Try: ssh -G {words}")
