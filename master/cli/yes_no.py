"""Questions on the terminal, also of commands whose standard input is a pipe."""

from __future__ import annotations

import sys

import click


def ask(question: str) -> bool | None:
    """Ask a question whose answer is yes or no; Enter alone means no.

    None where nobody can be asked: there is no terminal.
    """
    if sys.stdin.isatty() and sys.stderr.isatty():
        click.echo(f"{question} [y/N] ", nl=False, err=True)
        return _is_yes(sys.stdin.readline())
    if not sys.stderr.isatty():
        return None  # nobody would see the question
    try:
        # Two files: one for both would have to seek between writing and reading.
        with open("/dev/tty", "w", encoding="utf-8") as shown, open("/dev/tty", encoding="utf-8") as typed:
            shown.write(f"{question} [y/N] ")
            shown.flush()
            return _is_yes(typed.readline())
    except OSError:  # a process without a terminal
        return None


def _is_yes(answer: str) -> bool:
    return answer.strip().lower() in ("y", "yes")
