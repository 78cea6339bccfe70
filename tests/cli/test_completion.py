"""`spe completion`: real shells complete commands, options, names of sweeps and files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from needs import need_program
from waiting import wait_until

from .kit import Bench
from .tmux import Window

BEGIN = {
    "bash": "bash --norc --noprofile -i",
    "zsh": "zsh -f -i",
    "fish": "fish --no-config -i",
}
SOURCE = {
    "bash": 'eval "$(spe completion bash)"',
    "zsh": 'autoload -U compinit && compinit -u -D && eval "$(spe completion zsh)"',
    "fish": "spe completion fish | source",
}


@pytest.fixture
def path(bench: Bench) -> Path:
    """A folder in PATH with `spe`."""
    folder = bench.root / "bin"
    folder.mkdir()
    (folder / "spe").write_text(f'#!/bin/sh\nexec {sys.executable} -m spe "$@"\n')
    (folder / "spe").chmod(0o755)
    bench.environment["PATH"] = f"{folder}:{bench.environment['PATH']}"
    for name in ("alpha", "alpine"):
        (bench.runs(name)).mkdir(parents=True)
    bench.write("hosts.lab", "localhost\n")
    return folder


@pytest.mark.parametrize("shell", BEGIN)
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("spe resul", "spe results"),
        ("spe run --time", "spe run --timeout"),
        ("spe status -n alpi", "spe status -n alpine"),
        ("spe run --hosts hos", "spe run --hosts hosts.lab"),
        ("spe docs secu", "spe docs security"),
        ("spe help stragg", "spe help straggler"),
        ("spe hosts drai", "spe hosts drain"),
        ("spe farm jo", "spe farm join"),
        ("spe help farm lea", "spe help farm leave"),
    ],
)
def test_tab_completes_in_a_real_shell(bench: Bench, path: Path, shell: str, typed: str, shown: str) -> None:
    need_program(shell, shell)
    made = Window(bench, 100, BEGIN[shell].split(), HISTFILE="/dev/null")
    try:
        made.call("send-keys", "-l", f"{SOURCE[shell]}; echo re''ady")
        made.press("Enter")
        wait_until(lambda: "\nready" in made.screen, "the script is read", story=lambda: made.screen)
        made.call("send-keys", "-l", typed)
        wait_until(lambda: typed in made.screen, "the words are there")
        made.press("Tab")
        wait_until(lambda: shown in made.screen, shown, story=lambda: made.screen)
    finally:
        made.end()


def test_all_commands_are_offered_without_loading_any(bench: Bench) -> None:
    code = "import sys; from spe.cli import main\ntry:\n main()\nfinally:\n print('spe.cli.run' in sys.modules)"
    environment = {**bench.environment, "_SPE_COMPLETE": "bash_complete", "COMP_WORDS": "spe ", "COMP_CWORD": "1"}
    words = [sys.executable, "-c", f"import sys; sys.argv = ['spe']\n{code}"]
    done = subprocess.run(words, cwd=bench.folder, env=environment, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert "plain,run" in lines and "plain,results" in lines and lines[-1] == "False", done


def test_a_destructive_command_is_completed_all_the_same(bench: Bench) -> None:
    environment = {**bench.environment, "_SPE_COMPLETE": "bash_complete", "COMP_WORDS": "spe canc", "COMP_CWORD": "1"}
    words = [sys.executable, "-c", "import sys; sys.argv = ['spe']\nfrom spe.cli import main; main()"]
    done = subprocess.run(words, cwd=bench.folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "plain,cancel\n"


def test_another_shell_is_refused_with_those_that_there_are(bench: Bench) -> None:
    done = bench.start("completion", "csh").end()
    assert done.code == 2 and "found 'csh', wanted bash, zsh, fish" in done.err
