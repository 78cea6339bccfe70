"""Logins whose shell does not run what it is told: named as that, soon, with what to look for; the others work."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from lab import USER, Boot, LabHost
from needs import need_program
from spe.errors import Fault

from .starter import Starter

pytestmark = pytest.mark.lab
LAB_HOSTS = 2
SENTENCE = "the login shell of this account did not run spe's command"
SOON = 40  # seconds: a machine that does much else; the start itself may take 60

WAITING = {
    "exec fish": ("/bin/bash", ".bashrc", "exec fish\n"),
    "exec zsh": ("/bin/bash", ".bashrc", "echo Welcome\nexec zsh\n"),
    "exec ksh": ("/bin/bash", ".bashrc", "exec ksh\n"),
    "exec tcsh": ("/bin/bash", ".bashrc", "exec tcsh\n"),
    "exec sh in zsh": ("/usr/bin/zsh", ".zshenv", "exec sh\n"),
    "exec bash in fish": ("/usr/bin/fish", ".config/fish/config.fish", "exec bash\n"),
    "exec bash in tcsh": ("/usr/bin/tcsh", ".cshrc", "exec bash\n"),
    "a question": ("/bin/bash", ".bashrc", "printf 'Which project? '; read project\n"),
    "a question of words": ("/bin/bash", ".bashrc", "echo Which project; read project\n"),
    "a choice": ("/bin/bash", ".bashrc", "select x in one two; do break; done\n"),
    "a program that reads": ("/bin/bash", ".bashrc", "cat\n"),
    "csh asks": ("/usr/bin/tcsh", ".cshrc", 'echo -n "Project? "; set project = $<\n'),
}


def write(host: LabHost, name: str, text: str) -> None:
    file = host.folder / "home" / USER / name
    host.shell(f"mkdir -p $(dirname {name}); : >{name}")
    file.write_text(text)


@pytest.mark.parametrize(("shell", "file", "text"), WAITING.values(), ids=WAITING)
def test_a_login_that_waits_for_input_is_told_so_soon_and_nothing_of_ours_is_read_by_it(
    hosts: list[LabHost], starter: Starter, shell: str, file: str, text: str
) -> None:
    need_program(shell, shell.rpartition("/")[2])
    hosts[0].boot(Boot(shell=shell))
    write(hosts[0], file, text)
    before = hosts[0].files()
    begun = time.monotonic()
    error = starter.fault("h01")
    assert time.monotonic() - begun < SOON
    assert error.fault is Fault.NO_COMMANDS
    assert f"{SENTENCE}: it waits for input" in error.what
    assert "~/.bashrc" in error.todo
    assert f"ssh -F {starter.ssh_config} h01 echo hello" in error.todo
    shown = [word for word in ("Welcome", "Which project", "Project?", "1) one") if word in text]
    assert all(word in error.what for word in shown)
    assert "syntax" not in error.what.lower()
    # fish itself makes folders of its own
    assert not [line for line in hosts[0].files() - before if "spe" in line or "/.cache" in line]


ENDING = {
    "exit in place of return": ("/bin/bash", ".bashrc", "exit 0\n", "~/.bashrc"),
    "exit behind words": ("/bin/bash", ".bashrc", "echo Under repair; exit 3\n", "Under repair"),
    "exec true": ("/bin/bash", ".bashrc", "exec true\n", "~/.bashrc"),
    "exit in zsh": ("/usr/bin/zsh", ".zshenv", "exit\n", "~/.zshenv"),
    "exec in fish": ("/usr/bin/fish", ".config/fish/config.fish", "exec true\n", "~/.config/fish/config.fish"),
    "exec in tcsh": ("/usr/bin/tcsh", ".tcshrc", "exec true\n", "~/.tcshrc"),
    "nologin": ("/usr/sbin/nologin", ".hushlogin", "", "chsh"),
    "false": ("/bin/false", ".hushlogin", "", "exit 1"),
    "restricted": ("/bin/rbash", ".hushlogin", "", "chsh"),
    "output closed": ("/bin/bash", ".bashrc", "exec >/dev/null 2>&1\n", "~/.bashrc"),
}


@pytest.mark.parametrize(("shell", "file", "text", "word"), ENDING.values(), ids=ENDING)
def test_a_login_that_ends_without_running_our_command_is_told_so_with_its_words(
    hosts: list[LabHost], starter: Starter, shell: str, file: str, text: str, word: str
) -> None:
    need_program(shell, shell.rpartition("/")[2])
    hosts[0].boot(Boot(shell=shell))
    write(hosts[0], file, text)
    error = starter.fault("h01")
    assert error.fault is Fault.NO_COMMANDS
    assert SENTENCE in error.what
    assert "ended with exit" in error.what
    assert word in str(error)


def menu(host: LabHost, text: str) -> Boot:
    """A menu as login shell."""
    host.folder.joinpath("tmp").mkdir(exist_ok=True)
    file = host.folder / "menu"
    file.write_text(f"#!/bin/bash\n{text}\n")
    file.chmod(0o755)
    folder = host.folder / "menu-bin"
    folder.mkdir(exist_ok=True)
    shutil.copy2(file, folder / "menu")
    return Boot(shell="/mnt2/menu", binds=((folder, "/mnt2"),))


@pytest.mark.parametrize("loop", ["read x", "while true; do echo '1) mail 2) exit'; read x; done", "exec cat"])
def test_a_menu_as_login_shell_waits_for_input(hosts: list[LabHost], starter: Starter, loop: str) -> None:
    hosts[0].boot(menu(hosts[0], f"echo 'Choose: 1) mail 2) exit'; {loop}"))
    error = starter.fault("h01")
    assert error.fault is Fault.NO_COMMANDS
    assert f"{SENTENCE}: it waits for input" in error.what
    assert "Choose: 1) mail 2) exit" in error.what


WORKING = {
    "fish": ("/usr/bin/fish", ".config/fish/config.fish", "echo Hello from fish\n"),
    "zsh": ("/usr/bin/zsh", ".zshenv", "echo Hello from zsh\n"),
    "tcsh": ("/usr/bin/tcsh", ".cshrc", "echo Hello from tcsh\n"),
    "ksh": ("/usr/bin/ksh", ".kshrc", "echo Hello\n"),
    "dash": ("/bin/dash", ".profile", "echo Hello\n"),
    "words": ("/bin/bash", ".bashrc", "echo Welcome\nprintf 'no line end'\n"),
    "traced": ("/bin/bash", ".bashrc", "set -xv\n"),
    "many words": ("/bin/bash", ".bashrc", "yes 'motd' | head -n 100000\n"),
    "words like ours": ("/bin/bash", ".bashrc", "echo 'spe: folder /nowhere'; echo 'spe: end 3'\n"),
    "words behind": ("/bin/bash", ".bashrc", "trap 'echo Good bye; exit 7' EXIT\n"),
    "a trap that takes its time": ("/bin/bash", ".bashrc", "trap 'sleep 2' EXIT\n"),
    "logout": ("/bin/bash", ".bash_logout", "echo Good bye; exit 7\n"),
    "a question with a limit": ("/bin/bash", ".bashrc", "read -t 1 project\n"),
    "slow": ("/bin/bash", ".bashrc", "sleep 7\n"),
    "slow once": ("/bin/bash", ".bashrc", "[ -e .once ] || { touch .once; echo Updating; sleep 20; }\n"),
    "slow with other words each time": ("/bin/bash", ".bashrc", "head -c $((RANDOM / 9)) /etc/services; sleep 7\n"),
}


@pytest.mark.parametrize(("shell", "file", "text"), WORKING.values(), ids=WORKING)
def test_a_login_that_runs_our_command_in_the_end_works_whatever_it_prints(
    hosts: list[LabHost], starter: Starter, shell: str, file: str, text: str
) -> None:
    need_program(shell, shell.rpartition("/")[2])
    hosts[0].boot(Boot(shell=shell))
    write(hosts[0], file, text)
    assert starter.start("h01") == [None]
    assert starter.master.hosts == ["h01"]


def test_a_failed_start_is_told_in_our_words_not_in_those_that_the_login_prints_behind_them(
    hosts: list[LabHost], starter: Starter, tmp_path: Path
) -> None:
    hosts[0].boot(Boot(shell="/bin/bash"))
    write(hosts[0], ".bashrc", "echo Welcome\ntrap 'echo Good bye; exit 7' EXIT\n")
    starter.master.more = "Nice=very\n"
    error = starter.fault("h01")
    assert error.fault is Fault.START
    assert "the master's Nice=very is not a number" in error.what


def test_a_login_that_hangs_is_a_timeout_that_says_what_did_not_run(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(shell="/bin/bash"))
    write(hosts[0], ".bashrc", "sleep 600\n")
    starter.limits["start_limit"] = 9.0
    error = starter.fault("h01")
    assert error.fault is Fault.TIMEOUT
    assert "has not run spe's command within" in error.what


def test_where_only_one_session_is_allowed_a_question_is_found_too(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(shell="/bin/bash", sshd=("MaxSessions 1",)))
    write(hosts[0], ".bashrc", "printf 'Which project? '; read project\n")
    starter.limits["start_limit"] = 9.0
    error = starter.fault("h01")
    assert error.fault is Fault.NO_COMMANDS
    assert "it waits for input" in error.what
    assert "Which project?" in error.what
