"""`--at` through logins that print words, ask something or run no commands: the command's own output, or an error."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lab import USER, Boot, Lab, LabHost
from needs import need_program
from processes import is_alive
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
LAB_HOSTS = 1
SENTENCE = "the login shell of this account did not run spe's command"
# In place of spe: bytes that are no text, without a newline at the end.
SAYS = "#!/bin/sh\nprintf '\\377\\000\\r\\nspe: begin\\n%s' \"$*\"\nexit 7\n"
SAID = b"\xff\x00\r\nspe: begin\n"


def place_spe(host: LabHost, text: str = SAYS) -> None:
    """Put a program into the folder `sweep` that takes the place of spe there."""
    host.shell("mkdir -p sweep/.venv/bin")
    write(host, "sweep/.venv/bin/spe", text)
    host.shell("chmod +x sweep/.venv/bin/spe")


def write(host: LabHost, name: str, text: str) -> None:
    host.shell(f"mkdir -p $(dirname {name}); : >{name}")
    (host.folder / "home" / USER / name).write_text(text)


def menu(host: LabHost, text: str) -> Boot:
    """Return how to boot the host with this script as its login shell."""
    folder = host.folder / "menu-bin"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "menu").write_text(f"#!/bin/bash\n{text}\n")
    (folder / "menu").chmod(0o755)
    return Boot(shell="/mnt2/menu", binds=((folder, "/mnt2"),))


def words_at(lab: Lab, *words: str) -> list[str]:
    """Return the command for the sweep on the first host; a `--` of the words stays behind --at."""
    at = ["--at", "h01:sweep", "-F", str(lab.ssh_config)]
    return [sys.executable, "-m", "spe", words[0], *at, *words[1:]]


def run(lab: Lab, folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        words_at(lab, *words), cwd=folder, capture_output=True, timeout=120, stdin=subprocess.DEVNULL
    )
    print(words, done.returncode, done.stdout[:2000], done.stderr.decode()[:4000], sep="\n")
    return done


SPEAKING = {
    "plain": ("/bin/bash", ".bashrc", ""),
    "words": ("/bin/bash", ".bashrc", "echo Welcome to lab, quota 80 percent\n"),
    "no line end": ("/bin/bash", ".bashrc", "printf Welcome\n"),
    "traced": ("/bin/bash", ".bashrc", "set -xv\n"),
    "many words": ("/bin/bash", ".bashrc", "yes motd | head -n 100000\n"),
    "words behind": ("/bin/bash", ".bashrc", "trap 'echo Good bye; exit 3' EXIT\n"),
    "zsh": ("/usr/bin/zsh", ".zshenv", "echo Hello\n"),
    "fish": ("/usr/bin/fish", ".config/fish/config.fish", "echo Hello\n"),
    "tcsh": ("/usr/bin/tcsh", ".cshrc", "echo Hello\n"),
    "dash": ("/bin/dash", ".profile", "echo Hello\n"),
    "a question": ("/bin/bash", ".bashrc", "printf 'Which project? '; read project\n"),
}


@pytest.mark.parametrize("command", ["results", "events"])
@pytest.mark.parametrize(("shell", "file", "text"), SPEAKING.values(), ids=SPEAKING)
def test_only_what_the_command_itself_prints_reaches_standard_output(
    lab: Lab, hosts: list[LabHost], tmp_path: Path, shell: str, file: str, text: str, command: str
) -> None:
    need_program(shell, shell.rpartition("/")[2])
    hosts[0].boot(Boot(shell=shell))
    place_spe(hosts[0])
    write(hosts[0], file, text)
    done = run(lab, tmp_path, command)
    assert done.stdout == SAID + command.encode()
    assert done.returncode == 7
    assert b"\nspe: " not in b"\n" + done.stderr, "nothing is wrong"


RUNS_NOTHING = {
    "exit": ("/bin/bash", "echo Under repair; exit 0\n", ("Under repair", "ended with exit 0", "~/.bashrc")),
    "silent": ("/bin/bash", "exit 3\n", ("ended with exit 3", "without any output", "~/.bashrc")),
    "255": ("/bin/bash", "echo Closed today; exit 255\n", ("Closed today", "ended with exit 255")),
    "nologin": ("/usr/sbin/nologin", "", ("not available", "chsh")),
    "a program that reads": ("/bin/bash", "echo Welcome; cat >/dev/null; exit\n", ("Welcome", "~/.bashrc")),
    "another shell": ("/bin/bash", "echo Welcome; exec dash\n", ("Welcome", "~/.bashrc")),
    "output closed": ("/bin/bash", "exec >&-\n", ("~/.bashrc",)),
}


@pytest.mark.parametrize("command", ["results", "ask"])
@pytest.mark.parametrize(("shell", "text", "said"), RUNS_NOTHING.values(), ids=RUNS_NOTHING)
def test_a_login_that_does_not_run_the_command_is_an_error_with_its_first_words(
    lab: Lab, hosts: list[LabHost], tmp_path: Path, shell: str, text: str, said: tuple[str, ...], command: str
) -> None:
    """Also where the login waits for input that does not come."""
    hosts[0].boot(Boot(shell=shell))
    place_spe(hosts[0])
    write(hosts[0], ".bashrc", text)
    refused(run(lab, tmp_path, command, *(["1", "--", "ls"] if command == "ask" else [])), *said)


@pytest.mark.parametrize("command", ["results", "ask"])
@pytest.mark.parametrize("loop", ["read x; echo bye", "while true; do echo '1) mail'; read x; done", "exec cat"])
def test_a_menu_as_login_shell_is_an_error_and_not_waited_for(
    lab: Lab, hosts: list[LabHost], tmp_path: Path, loop: str, command: str
) -> None:
    hosts[0].boot(menu(hosts[0], f"echo 'Choose: 1) mail'; {loop}"))
    done = run(lab, tmp_path, command, *(["1", "--", "ls"] if command == "ask" else []))
    refused(done, "Choose: 1) mail")


def refused(done: subprocess.CompletedProcess[bytes], *said: str) -> None:
    assert done.returncode == 2
    assert done.stdout == b""
    told = done.stderr.decode()
    assert f"--at h01:sweep: {SENTENCE}" in told
    assert [word for word in said if word not in told] == []


def test_a_slow_login_is_waited_for(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    """Longer than a login that seems to wait for input is given its standard input."""
    hosts[0].boot(Boot(shell="/bin/bash"))
    place_spe(hosts[0])
    write(hosts[0], ".bashrc", "sleep 8\n")
    done = run(lab, tmp_path, "events")
    assert (done.stdout, done.returncode) == (SAID + b"events", 7)


class Terminal:
    """A command of spe in a terminal of its own."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.shown = b""
        self.pid, self.master = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execv(words[0], words)

    def wait_for(self, word: bytes) -> None:
        while word not in self.shown:
            self.shown += os.read(self.master, 4096)

    def end(self) -> int:
        """Return the exit code; what it still showed is in `shown`."""
        try:
            while data := os.read(self.master, 4096):
                self.shown += data
        except OSError:  # the terminal's other end is closed
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_in_a_terminal_the_login_may_ask_and_the_command_there_has_a_terminal(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    hosts[0].boot(Boot(shell="/bin/bash"))
    place_spe(hosts[0], '#!/bin/sh\n[ -t 0 ] && [ -t 1 ] && echo "in $project"\nread x\necho "got $x"\nexit 7\n')
    write(hosts[0], ".bashrc", "printf 'Which project? '; read project; export project\n")
    terminal = Terminal(words_at(lab, "top"), tmp_path)
    terminal.wait_for(b"Which project? ")
    os.write(terminal.master, b"apollo\r")
    terminal.wait_for(b"in apollo")
    os.write(terminal.master, b"it\r")
    assert terminal.end() == 7
    assert b"got it" in terminal.shown
    assert b"spe: begin" not in terminal.shown, "the mark is not for people"


def test_in_a_terminal_a_login_that_runs_nothing_is_told_too(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    hosts[0].boot(menu(hosts[0], "echo 'Choose: 1) mail'; read x; echo bye"))
    terminal = Terminal(words_at(lab, "top"), tmp_path)
    terminal.wait_for(b"Choose: 1) mail")
    os.write(terminal.master, b"2\r")
    assert terminal.end() == 2
    assert SENTENCE.encode() in terminal.shown


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_ssh_of_a_killed_command_ends_with_it(
    lab: Lab, hosts: list[LabHost], tmp_path: Path, is_terminal: bool
) -> None:
    hosts[0].boot(Boot(shell="/bin/bash"))
    place_spe(hosts[0], "#!/bin/sh\necho here; exec sleep 600\n")
    words = words_at(lab, "attach")
    if is_terminal:
        # Below a shell: the end of the first process of a terminal would end all others, too.
        terminal = Terminal(["/bin/sh", "-c", '"$0" "$@"; read x; exit 5', *words], tmp_path)
        terminal.wait_for(b"here")
        pid = children(terminal.pid)[0]
    else:
        with (tmp_path / "out").open("wb") as out:
            pid = subprocess.Popen(words, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out).pid
        wait_until(lambda: (tmp_path / "out").read_bytes() == b"here\n", "it is attached")
    ssh = children(pid)
    assert len(ssh) == 1
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(ssh[0]), "its ssh has ended")
    if is_terminal:
        os.write(terminal.master, b"\n")
        assert terminal.end() == 5
