"""The options of a command line that stand for keys of spe.yaml, in one table, and the keys that
they give.

An option has the name of its key, with `-` for `_`. What a value means is checked with the key, by
the same code as for a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import ConfigError, UsageError
from ..record import record
from .results import plain, result_key

Keys = dict[str, Any]
Options = dict[tuple[str | int, ...], str]


@record
class Option:
    """An option for a key.

    `form` is what follows it, "" for a switch. `kind`: `text` for one text, `each` for an option
    that may be given several times, `yaml` for a text that is read as YAML where it begins with a
    bracket, `switch` for one that says yes.
    """

    key: str
    form: str
    help: str
    kind: str = "text"
    name: str = ""  # where it is not that of the key

    @property
    def flag(self) -> str:
        """Return the option as it is typed."""
        return f"--{self.name or self.key.replace('_', '-')}"


PROGRAM = (
    Option(
        "inputs",
        "PATH",
        "A file or folder that each task has; several times.",
        "each",
        name="input",
    ),
    Option("env", "NAME[=VALUE]", "A variable; without =, as it is here.", "each"),
    Option("shell", "", "A shell on the host reads the command: {{ x | quote }} there.", "switch"),
    Option("setup", "COMMAND", "A shell line before each program, such as `module load r`."),
    Option(
        "venv", "FILE", "Python packages: requirements.txt, pyproject.toml, environment.tar.gz."
    ),
    Option("container", "FILE", "An image for apptainer."),
    Option("prepare", "COMMAND", "A shell command, once a home, before the first task."),
)
RESULTS = (
    Option("results", "NAME=FROM[:PATH][:AS]", "A result; several times.", "each", name="result"),
    Option("validate", "CHECK", "exit_zero, non_empty, one_line or FILE.py:FUNCTION.", "each"),
    Option("collect", "WHAT", "table, concat, concat_numbered, blocks or a hook.", "each"),
    Option("keep_failed", "SIZE", "Keep the files of failed sets, up to this size each."),
    Option("keep_output", "64kB|all", "Keep all of stdout and stderr."),
)
LIMITS = (
    Option("timeout", "TIME", "Time of one attempt, such as 90s, 10min or 20x."),
    Option("attempts", "N", "Attempts of a set that fails (3)."),
    Option("retry", "RULES", "Attempts by reason, such as '{exit: {75: 5}}'.", "yaml"),
    Option("stop_after", "N[%][,now]", "Give up after so many failed sets; now: end running ones."),
    Option("stop_alike", "N", "Stop when the first N attempts fail alike (20); 0: never."),
    Option("at_once", "N", "Running tasks of this sweep over all hosts."),
    Option("delay", "TIME", "Time between two starts, over all hosts."),
    Option("licences", "LICENCES", "Such as '{abaqus: 1 of 3}'.", "yaml"),
    Option("cores", "N", "Slots that one task takes (1)."),
    Option("nice", "N", "How far programs stand back (10)."),
    Option("order", "longest|given", "given: sets begin in their order, not the longest first."),
    Option("once", "", "No second copy of a slow last task: it has side effects.", "switch"),
    Option("max_load", "N", "Start nothing on a host with a higher load per core."),
)
NOTIFY = (
    Option("notify", "[EVENT=]TO", "Tell NAME, mailto:ADDRESS or 'cmd: COMMAND'; several times.", "each"),
)
# Rarely typed: they are in `spe help run` and in docs/commands.md, not in `spe run -h`.
RARE = (
    Option("worker", "FILE", "The program, where the command does not begin with it.", "yaml"),
    Option("separator", "SIGN", "What separates the cells of --params."),
    Option("prepare_timeout", "TIME", "Time for --prepare (30min)."),
    Option("keep_venv", "", "Leave the environment on the hosts.", "switch"),
    Option("keep_prepared", "", "Leave what --prepare made on the hosts.", "switch"),
    Option("ping", "TIME", "Time between two signs of life of a client (30s)."),
    Option("grace", "TIME", "How long clients wait for a silent master (3min)."),
    Option("tls", "yes|no", "Encrypt what hosts and master say (yes)."),
    Option("control", "hold|poll", "poll: for networks that cut silent connections."),
    Option("ask", "PROGRAM", "A program that `spe ask` may run; several times.", "each"),
    Option("listen", "[ADDRESS:]PORT", "Where clients find the master."),
    Option("listen_page", "[ADDRESS:]PORT", "Where the page is."),
    Option("max_result", "SIZE", "The largest result (10GB)."),
    Option("delete_client", "yes|no", "Remove the client from the hosts (yes)."),
    Option("delete_worker", "yes|no", "Remove the program from the hosts (yes)."),
)
ALL = (*PROGRAM, *RESULTS, *LIMITS, *NOTIFY, *RARE)
Typed = Sequence[str] | str | bool | None


def keys_of_options(typed: Mapping[str, Typed]) -> tuple[Keys, Options]:
    """Return the keys that stand for options, and the option of each part.

    `typed`: what was given, by key; None, False or () for what was not. Raises UsageError.
    """
    keys: Keys = {}
    options: Options = {}
    for one in ALL:
        value = typed.get(one.key)
        if value is None or value is False or value == ():
            continue  # an empty text was given, and is looked at with its key
        if one.kind == "each" and not isinstance(value, (str, bool)):
            keys[one.key] = _EACH.get(one.key, _listed)(one, value, options)
        elif one.kind == "switch":
            keys[one.key] = "yes"
            options[one.key,] = one.flag
        else:
            keys[one.key] = _read(one, str(value))
            options[one.key,] = f"{one.flag} {value}"
    return keys, options


def as_in_a_file(key: str, value: Any) -> Any:
    """Return a value as people write it in a file: `3` and `true`, not the texts of an option."""
    form = next((one.form for one in ALL if one.key == key), None)
    if form == "N" and isinstance(value, str) and value.isdecimal() and value.isascii():
        return int(value)
    if form in ("", "yes|no") and value in ("yes", "no"):
        return value == "yes"
    return value


def _read(one: Option, text: str) -> Any:
    """Return the data of a text; a mapping or a list where the option takes one."""
    if one.kind != "yaml" or not text.startswith(("{", "[")):
        return text
    from ..config.yaml_file import parse  # late: it loads PyYAML

    where = f"{one.flag} {text}"
    try:
        return plain(parse(f"x: {text}", where).data["x"])
    except ConfigError as error:
        raise UsageError(
            error.what, where=where, todo=f"Write it like {one.flag} {one.help}"
        ) from error


def _listed(one: Option, given: Sequence[str], options: Options) -> list[str]:
    for at, text in enumerate(given):
        options[one.key, at] = f"{one.flag} {text}"
    options[one.key,] = f"{one.flag} {given[0]}"
    return list(given)


def _variables(one: Option, given: Sequence[str], options: Options) -> Keys:
    """Return the variables of --env NAME=VALUE, or of --env NAME with the value that it has here."""
    found: Keys = {}
    for text in given:
        name, equals, value = text.partition("=")
        where = f"{one.flag} {text}"
        if not equals and name not in os.environ:
            todo = f"Write {one.flag} {name}=VALUE, or export it first."
            raise UsageError(f"the variable {name} is not set here", where=where, todo=todo)
        found[name] = value if equals else _literally(_utf_8(os.environ[name], where))
        options[one.key, name] = where
    return found


def _utf_8(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        todo = "Set it to UTF-8, or set it on the hosts: `setup:`."
        raise UsageError("its value here is not UTF-8", where=where, todo=todo) from error
    return text


def _literally(text: str) -> str:
    """Return a pattern that is filled in as just this text: `{{` in it is none of ours."""
    if "{{" not in text and "{%" not in text:
        return text
    return "{{ " + json.dumps(text, ensure_ascii=False) + " }}"


def _results(one: Option, given: Sequence[str], options: Options) -> Keys:
    found: Keys = {}
    for text in given:
        name, entry = result_key(text)
        where = f"{one.flag} {text}"
        if name in found:
            todo = "Give each result a name of its own: NAME=FROM."
            raise UsageError(f"two results are called {name}", where=where, todo=todo)
        found[name] = entry
        options[one.key, name] = where
    return found


def _told(one: Option, given: Sequence[str], options: Options) -> list[str]:
    from ..config.notify.recipients import without_secret  # late: `spe --help` reads the table, too

    # An address with a password is refused here, too, and messages go into run.log.
    texts = list(map(without_secret, given))
    for at, text in enumerate(texts):
        options[one.key, at] = f"{one.flag} {text}"
    options[one.key,] = f"{one.flag} {texts[0]}"
    return list(given)


_EACH: dict[str, Callable[[Option, Sequence[str], Options], Any]] = {
    "env": _variables,
    "notify": _told,
    "results": _results,
}
