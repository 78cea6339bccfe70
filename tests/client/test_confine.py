"""What may be asked of a running task."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from needs import need_root
from spe.client.loop import allowed as confine
from spe.client.loop.allowed import refusal

SIX = ["ls", "ps", "du", "cat", "tail", "head"]
MORE = [*SIX, "wc", "stat", "df", "grep", "sed"]  # sed stands for the programs that spe does not know
CANARY = "CANARY"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "17"
    (made / "sub").mkdir(parents=True)
    (made / "out.txt").write_text("x")
    (made / "away").symlink_to("/etc")
    (made / "near").symlink_to("sub")
    return made


@pytest.mark.parametrize(
    "words",
    [["ls"], ["ls", "-l", "sub"], ["tail", "-n", "5", "out.txt"], ["head", "-c", "10", "./sub/../out.txt"],
     ["cat", "near/new"], ["du", "--max-depth=1"], ["tail", "--bytes=5", "out.txt"]],
)  # fmt: skip
def test_the_allowed_programs_may_look_at_the_tasks_own_files(folder: Path, words: list[str]) -> None:
    assert refusal(words, SIX, str(folder)) is None


@pytest.mark.parametrize(
    "words",
    [["cat", "/etc/passwd"], ["cat", "../18/out.txt"], ["ls", "away"], ["cat", "away/passwd"], ["cat", "sub/../../x"],
     ["du", "--exclude=/etc/passwd"], ["cat", "--", "away/passwd"],
     ["sed", "-f/etc/passwd"], ["sed", "-nfaway"], ["sed", "--expression=away/passwd"], ["sed", "if=/etc/passwd"]],
)  # fmt: skip
def test_what_leads_out_of_the_directory_is_refused(folder: Path, words: list[str]) -> None:
    assert "leads out of the task's directory" in str(refusal(words, MORE, str(folder)))


@pytest.mark.parametrize(
    "line",
    ["ls -L", "ls -LR", "ls -Rl -La", "ls -1L", "ls -H near", "ls --dereference", "ls --deref -R",
     "ls --dereference-command-line-symlink-to-dir", "ls --recursive=x", "du -L", "du -shL .", "du -D", "du -H",
     "du --dereference", "du --dereference-a", "du --files0-from=list", "du --files0=list", "du --f=list",
     "du --files0-from list", "du -X list", "du -Xlist", "du --exclude-f=list", "wc --files0-from=list", "wc --f=list",
     "tail -F out.txt", "tail --follow=name out.txt", "tail --retry -f out.txt", "tail --fol=name out.txt",
     "stat -L away", "stat --dereference near", "grep -R x .", "grep -rR x", "grep -f list", "grep --dereference-r x",
     "cat --show-a out.txt", "head --li=5 out.txt", "cat -- -x"],
)  # fmt: skip
def test_of_a_known_program_only_listed_options_spelled_out_may_be_asked(folder: Path, line: str) -> None:
    said = str(refusal(line.split(), MORE, str(folder)))
    assert "may not be asked of " + line.split()[0] in said
    assert "./" in said or "spelled out" in said


@pytest.mark.parametrize(
    "line",
    ["ps eww -A", "ps -A", "ps -e", "ps -ef", "ps aux", "ps e", "ps -fe", "ps -p 1", "ps 1", "ps -o pid e",
     "ps -C sshd", "ps -u root", "ps --ppid 1", "ps --for", "ps -o pid -o -A", "ps -1", "ps -", "ps --", "ps -oe",
     "ps -o"],
)  # fmt: skip
def test_ps_selects_no_other_processes_and_shows_no_environment(folder: Path, line: str) -> None:
    assert "may not be asked of ps" in str(refusal(line.split(), SIX, str(folder)))


@pytest.mark.parametrize("line", ["ps", "ps -f", "ps -fL -w", "ps -o pid,rss,args -H", "ps -l --forest --no-headers"])
def test_ps_may_show_the_tasks_processes_in_other_forms(folder: Path, line: str) -> None:
    assert refusal(line.split(), SIX, str(folder)) is None
    if line != "ps":
        assert confine.narrowed(line.split(), [17, 18]) == [*line.split(), "-p", "17,18"]


@pytest.mark.parametrize(
    "line",
    ["ls -laR sub", "ls -1t --sort=size --color=never", "ls --time-style long-iso", "du -sh .", "du -ahd1", "du -d 2",
     "tail -n5 out.txt", "tail -5 out.txt", "tail -n +3 out.txt", "tail -c-10 out.txt", "tail -f out.txt",
     "head -n -5 out.txt", "head -c10k out.txt", "tail -fs0.5 out.txt", "cat -A ./-x", "cat -- out.txt", "cat -",
     "wc -l out.txt", "stat -c %s out.txt", "df -h .", "grep -rn -C3 x sub", "ls --help",
     "sed -n 5p out.txt", "sed --quiet -e 5p out.txt"],
)  # fmt: skip
def test_the_usual_options_may_be_asked(folder: Path, line: str) -> None:
    assert refusal(line.split(), MORE, str(folder)) is None


@pytest.mark.parametrize("word", ["@list", "--files0-from=list", "--files-from=list", "--fil=list", "--from-file=list"])
def test_also_of_an_unknown_program_no_word_names_a_list_of_files(folder: Path, word: str) -> None:
    assert "names more files" in str(refusal(["sed", word], MORE, str(folder)))


def test_the_path_of_a_known_program_does_not_make_it_unknown(folder: Path) -> None:
    assert "may not be asked of ls" in str(refusal(["/bin/ls", "-L"], ["/bin/ls"], str(folder)))
    assert "may not be asked of ps" in str(refusal(["/bin/ps", "-A"], ["/bin/ps"], str(folder)))


def test_a_link_whose_name_is_an_option_leads_out_behind_two_dashes(folder: Path) -> None:
    (folder / "-n").symlink_to("/etc/passwd")
    assert "leads out" in str(refusal(["cat", "--", "-n"], SIX, str(folder)))
    assert "leads out" in str(refusal(["cat", "out.txt", "-n"], SIX, str(folder))), "a BSD's options end at a file"


def test_a_link_far_below_leads_out_although_its_whole_path_is_too_long_to_be_looked_at(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    depth = (4090 - len(str(folder))) // 201
    for _ in range(depth):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    name = "away" + "x" * 200
    os.symlink("/etc", name, dir_fd=here)
    os.close(here)
    up = "/.." * (depth + 1)
    word = "/".join(["d" * 200] * depth) + f"/{name}{up}/etc/passwd"
    found = subprocess.run(["cat", word], cwd=folder, capture_output=True, text=True)
    if "root:" not in found.stdout:
        assert "too long" in found.stderr  # where the temporary folder has so long a path that it cannot be shown
    assert refusal(["cat", word], SIX, str(folder))


@pytest.mark.parametrize(
    "target",
    ["/proc/self/cwd/17/out.txt", "/proc/thread-self/cwd/17/out.txt", "/dev/fd/../cwd/17/out.txt",
     "proc/self/cwd/17/out.txt", "/proc/self/root/etc/passwd"],
)  # fmt: skip
def test_a_link_through_proc_is_refused_as_it_leads_elsewhere_for_the_one_who_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """The client stands above the directory, and the program that is asked in it."""
    monkeypatch.chdir(folder.parent)
    (folder / "17").symlink_to("/etc")
    (folder / "link").symlink_to(target)
    if target.startswith("proc"):
        need_root()
        (folder / "proc").mkdir()
        subprocess.run(["mount", "-t", "proc", "proc", folder / "proc"], check=True)
    try:
        for word in ("link", target):
            assert "for each process" in str(refusal(["cat", word], SIX, "17"))
        assert refusal(["cat", "near/new"], SIX, "17") is None
    finally:
        if target.startswith("proc"):
            subprocess.run(["umount", folder / "proc"], check=True)


@pytest.mark.parametrize("word", ["/" + "x" * 100_000, "x" * 5000, "-" + "x" * 100_000, "a/" * 40_000, "../" * 40_000])
@pytest.mark.parametrize("program", ["cat", "sed"])
def test_a_very_long_word_is_refused_in_few_words(folder: Path, program: str, word: str) -> None:
    said = refusal([program, word], MORE, str(folder))
    assert said
    assert len(said) < 1000


def test_a_link_in_place_of_the_directory_is_not_entered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    (folder.parent / "18").symlink_to("/etc")
    (folder.parent / "19").symlink_to("17")
    assert refusal(["ls"], SIX, "17") is None
    assert refusal(["ls"], SIX, ".") is None
    for name in ("18", "18/ssl", "19/sub"):
        assert refusal(["ls"], SIX, name) == "the task has put a link in place of its directory"


def test_links_in_a_circle_are_refused(folder: Path) -> None:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    assert "symbolic links" in str(refusal(["cat", "one/x"], SIX, str(folder)))


def test_another_program_is_refused_with_what_is_allowed(folder: Path) -> None:
    assert refusal(["rm", "out.txt"], SIX, str(folder)) == (
        "'rm' is not allowed here; `ask:` in spe.yaml allows: ls ps du cat tail head"
    )
    assert refusal(["/bin/ls"], SIX, str(folder)), "also the path of an allowed one"


def test_with_any_everything_may_be_asked(folder: Path) -> None:
    assert refusal(["cat", "/etc/hostname"], ["any"], str(folder)) is None


def test_no_command_and_a_zero_byte_are_refused(folder: Path) -> None:
    assert refusal([], ["any"], str(folder))
    assert refusal(["ls", "a\0b"], ["any"], str(folder))


def test_the_docs_list_each_option_that_may_be_asked() -> None:
    page = (Path(__file__).parents[2] / "docs/commands.md").read_text(encoding="utf-8")
    section = page.split("### What may be asked")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^- `(\w+)`: (`-\w+`(?:.|\n  )*)$", section, re.MULTILINE))
    assert rows.keys() == confine.KNOWN.keys()
    for program, (letters, listed) in confine.KNOWN.items():
        longer = {f"--{one.rstrip('=')}" for one in listed.split()} | ({"-o FIELDS"} if program == "ps" else set())
        assert set(re.findall("`([^`]+)`", rows[program])) == longer | {f"-{letters}"}


class Tree(NamedTuple):
    """A task's directory with links that lead out, and a process beside the task's own. Both live for one test."""

    top: Path
    folder: Path
    process: int


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    top = tmp_path_factory.mktemp("tree")
    outside, folder = top / "outside", top / "17"
    (outside / CANARY).mkdir(parents=True)
    (outside / "secret").write_text(f"{CANARY}\n")
    (outside / CANARY / CANARY).write_text(f"{CANARY}\n")
    (folder / "sub").mkdir(parents=True)
    for where in (folder, folder / "sub"):
        (where / "away").symlink_to(outside)
        (where / "file").symlink_to(outside / "secret")
        (where / "-v").symlink_to("away/secret")
        (where / "near").symlink_to(folder / "sub")
        (where / "out.txt").write_text("line\n" * 20)
    (folder / "list").write_bytes(b"away/secret\0../outside")
    sleeping = [sys.executable, "-c", "input()"]
    environment = {**os.environ, "SECRET": CANARY}
    own = subprocess.Popen(sleeping, env=environment, stdin=subprocess.PIPE)
    other = subprocess.Popen([*sleeping, CANARY], env=environment, stdin=subprocess.PIPE)
    yield Tree(top, folder, own.pid)
    for process in (own, other):
        process.communicate(b"\n")


OPTIONS = {
    "ls": "-l -a -R -1 -F -L -H -LR -lRt -i -s -d -p --color=always --dereference --deref --recursive --hyperlink -w80 "
          "--group-directories-first --classify --zero -Z --dereference-command-line",
    "ps": "-f -F -l -L -j -H -w -A -e e eww aux -ef -fe f a x -o pid,args pid -p 1 --forest --no-headers -y 2",
    "du": "-a -s -h -L -H -D -b -c -d1 -X list -x -l --files0-from=list --files0=list --exclude-from=list --time "
          "--apparent-size --dereference-args --inodes -P",
    "cat": "-n -A -b -e -s -T --number --numb -u",
    "tail": "-n 5 -n5 -5 -c10 -q -v --lines=3 --bytes 4 --lines -z -c +2 --fol",
    "head": "-n 5 -n5 -5 -c10 -q -v --lines=3 --bytes 4 --lines -z -n -2",
    "wc": "-l -c -L -m -w --files0-from=list --files0-from list --f=list --bytes --max-line-length",
    "stat": "-L -f -t -c %n%N --format=%s --printf=%s --dereference --cached=never",
    "df": "-h -a -T -i . --output=file --total --sync -P",
    "grep": "-r -R -n -f list -c line -e --include=* --recursive --deref -l -L -o -H . -q",
}  # fmt: skip
NAMES = (
    ". sub out.txt away file near -v ./-v sub/away sub/file sub/near/out.txt near/near/file away/secret .. ../outside "
    "../outside/secret sub/../out.txt /etc/hostname -- - nowhere sub/../../outside/CANARY near/../../outside -x list"
)
SYSTEM = (  # what programs open by themselves
    "/lib", "/usr/", "/proc", "/sys/", "/dev/null", "/etc/ld.so.", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group",
    "/etc/locale.alias", "/etc/localtime", "/etc/mtab", "/etc/selinux",
)  # fmt: skip
OPENED = re.compile(r"= \d+<([^>]*)>$", re.MULTILINE)
COMMANDS = st.sampled_from(sorted(OPTIONS)).flatmap(
    lambda program: st.lists(st.sampled_from([*OPTIONS[program].split(), *NAMES.split()]), max_size=4).map(
        lambda words: [program, *words]
    )
)


@functools.cache
def can_trace() -> bool:
    """Whether strace is here and may do its work: some containers forbid it."""
    return bool(shutil.which("strace")) and subprocess.run(["strace", "-o", os.devnull, "true"]).returncode == 0


@settings(max_examples=300, deadline=None)
@given(words=COMMANDS)
@example(words=["ls", "-lRF", "--color=always"])
@example(words=["du", "-a", "sub", "near"])
@example(words=["grep", "-r", "line"])
@example(words=["ps", "-fL", "-w"])
@example(words=["ls", "-LR"])  # from here on: what would open one, were it allowed
@example(words=["du", "--files0-from=list"])
@example(words=["du", "-L", "-a"])
@example(words=["wc", "--files0-from=list"])
@example(words=["stat", "-L", "-v"])
@example(words=["ps", "-A", "-f"])
@example(words=["grep", "-R", "line"])
@example(words=["cat", "--", "-v"])
@example(words=["ps", "eww"])
def test_no_allowed_command_opens_a_file_outside_of_the_directory(tree: Tree, words: list[str]) -> None:
    """With strace by what it opens; and by a word that stands only outside: in names, contents and environments."""
    if refusal(words, list(OPTIONS), str(tree.folder)) is not None:
        return
    trace = tree.top / "trace"
    before = ["strace", "-f", "-y", "-e", "trace=open,openat", "-o", str(trace)] if can_trace() else []
    done = subprocess.run(
        [*before, *confine.narrowed(words, [tree.process])], cwd=tree.folder, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=60, env={**os.environ, "SECRET": CANARY},
    )  # fmt: skip
    assert CANARY.encode() not in done.stdout + done.stderr.replace(os.fsencode(" ".join(words)), b"")
    inside = str(tree.folder.resolve())
    for path in OPENED.findall(trace.read_text()) if before and words[0] != "ps" else ():  # ps reads of processes
        assert path == inside or path.startswith((inside + "/", *SYSTEM)), (words, path)
