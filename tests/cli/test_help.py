"""`spe --help` in groups, `spe help WORD`, and the pages for man."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from needs import need_program
from spe.cli import spe
from spe.cli.catalogue import ALL_COMMANDS, GROUPS, SUMMARY
from spe.cli.lazy_group import every_command

from .kit import Bench

WIDTHS = (60, 80, 120, 200)


def helped(bench: Bench, *words: str) -> str:
    done = bench.start("help", *words).end()
    assert done.code == 0, done
    return done.out


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("check", "-h"), ("ask", "-h")])
def test_a_help_fits_the_width_of_the_terminal(bench: Bench, width: int, words: tuple[str, ...]) -> None:
    bench.environment["COLUMNS"] = str(width)
    lines = bench.start(*words).end().out.splitlines()
    # Lines to be pasted are not broken.
    long = [line for line in lines if len(line) > width and "Example:" not in line]
    assert long == []


def test_the_help_has_its_commands_in_groups_by_purpose(bench: Bench) -> None:
    text = bench.start("--help").end().out
    places = [text.index(f"\n{title}:\n") for title in GROUPS]
    assert places == sorted(places)
    for name, summary in SUMMARY.items():
        assert re.search(rf"^  {name} +{re.escape(summary[:30])}", text, re.M)


def test_each_summary_begins_as_the_help_of_its_command() -> None:
    for name, command, _ in every_command(spe):
        assert command.help and command.help.split()[0] == ALL_COMMANDS[name].split()[0], name


def test_the_options_of_run_stand_in_groups_and_rare_ones_are_named(bench: Bench) -> None:
    text = bench.start("run", "-h").end().out
    titles = re.findall(r"^(\S.*):$", text, re.M)
    wanted = [
        "Parameters",
        "Program",
        "Results",
        "Limits",
        "Hosts",
        "What comes out",
        "Control",
        "Which sweep",
        "Options",
    ]
    assert titles == wanted
    assert "--prepare-timeout" not in text and "More, rarely used: `spe help run`." in text
    assert "--prepare-timeout" in helped(bench, "run")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("status",), ["## spe status", "spe status --watch"]),
        (("farm",), ["## spe farm", "### spe farm leave"]),
        (("farm", "leave"), ["### spe farm leave", "spe farm leave srv"]),
        (("--anyway",), ["`spe farm leave`", "`spe run`"]),
        (("--timeout",), ["--timeout TIME", "### `timeout`"]),
        (("--detach",), ["--detach", "spe run", "spe retry"]),
        (("detach",), ["--detach"]),
        (("-j",), ["-j N", "Slots on this machine"]),
        (("timeout",), ["### `timeout`"]),
        (("retry.exit",), ["### `retry.exit`"]),
        (("results.from",), ["### `results.NAME.from`"]),
        (("straggler",), ["**straggler**:"]),
        (("job",), ["task"]),
        (("unknown", "key"), ["unknown key 'comand'", "Take the suggestion."]),
        (("spe: spe.yaml:1: comand: unknown key 'comand'. Did you mean command?",), ["unknown key 'comand'"]),
        (("--retries",), ["--attempts"]),
        (("sbatch",), ["spe run"]),
        (("security",), ["After this page", "spe docs security"]),
        (("Exit codes",), ["spe docs commands", "spe docs guide"]),
        (("halt",), ["--stop-after N[%][,now]", "### `stop_after`"]),
        (("glob",), ["f=glob:data/*.csv"]),
        (("stem",), ["{{f|stem}}", "`| stem`"]),
        (("{.}",), ["`{.}` is `{{f|stem}}` here"]),
    ],
)
def test_a_word_leads_to_what_the_documentation_says(bench: Bench, words: tuple[str, ...], wanted: list[str]) -> None:
    text = helped(bench, *words)
    for one in wanted:
        assert one in text, text
    assert "<!--" not in text and "\x1b" not in text


def test_an_unknown_word_names_a_near_one_and_exits_2(bench: Bench) -> None:
    done = bench.start("help", "tiemout").end()
    assert done.code == 2 and "'tiemout'" in done.err and re.search(r"Did you mean (--)?timeout\?", done.err)
    done = bench.start("help", "qwertz").end()
    assert done.code == 2 and "Did you mean" not in done.err and "spe docs" in done.err


def test_help_without_a_word_is_the_help(bench: Bench) -> None:
    assert helped(bench) == bench.start("--help").end().out


def test_each_command_key_and_term_is_explained(bench: Bench) -> None:
    from spe.cli.lookup import explain, known_words

    for word in known_words():
        assert explain(word, spe), word


def test_the_pages_for_man_are_shown_without_a_warning(bench: Bench) -> None:
    folder = bench.folder / "man1"
    done = bench.start("help", "--man", str(folder)).end()
    assert done.code == 0, done
    pages = sorted(folder.iterdir())
    names = [f"spe-{name.replace(' ', '-')}.1" for name in ALL_COMMANDS]
    assert [page.name for page in pages] == sorted(["spe.1", *names])
    for page in pages:
        shown = rendered(page)
        assert "NAME" in shown and "EXIT STATUS" in shown, page
    text = rendered(folder / "spe-run.1")
    for wanted in (
        "--prepare-timeout",
        "spe run -p seed=1:100 -- ./simulate --seed '{{ seed }}'",
        "`spe attach`",
        "Limits",
    ):
        assert wanted in text, wanted
    assert "spe-farm-join(1)" in rendered(folder / "spe-farm.1")
    assert "spe farm join [OPTIONS] SRV" in rendered(folder / "spe-farm-join.1")


def rendered(page: Path) -> str:
    groff = need_program("groff", "groff")
    words = [groff, "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=110n", str(page)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def test_man_itself_takes_a_page_without_a_warning(bench: Bench) -> None:
    man = need_program("man", "man-db")
    bench.start("help", "--man", ".").end()
    words = [man, "--warnings", "-l", "./spe-run.1"]
    environment = {**bench.environment, "MANPAGER": "cat", "LANG": "C.UTF-8"}
    done = subprocess.run(words, cwd=bench.folder, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "") and "--attempts" in done.stdout.replace("\x08", "")
