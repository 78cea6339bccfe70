"""Programs that no host could start, found before any task is handed out."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_liners import one_liner
from spe.errors import ConfigError, SpeError
from spe.model import Host
from spe.sweep.checks.platforms import check_platform, elf_platform, runs_there
from spe.sweep.sweep import Sweep, from_command_line, load

Make = Callable[..., Sweep]
X86, ARM = 0x3E, 0xB7


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Loads a sweep of this command with a program `sim` that has this content."""

    def make(content: bytes | str, command: str = "./sim {{ x }}", more: str = "", name: str = "sim") -> Sweep:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o755)
        text = f"command: {command}\nparameters: {{grid: {{x: [1, 2]}}}}\n{more}"
        (tmp_path / "spe.yaml").write_text(text)
        return load(tmp_path)

    return make


def elf(machine: int, bits: int = 2, order: int = 1) -> bytes:
    """Return the head of an ELF file: 32 bits are class 1, big-endian is order 2."""
    shape = "<" if order == 1 else ">"
    head = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    return head + struct.pack(f"{shape}HHI", 2, machine, 1) + bytes(40)


# -- scripts


@pytest.mark.parametrize(
    "content", ["echo 1\n", "import sys\n", "\n#!/bin/sh\n", "\ufeff#!/bin/sh\n", "", " #!/bin/sh\n"]
)
def test_a_program_that_is_neither_a_script_with_a_first_line_nor_a_binary_is_told(make: Make, content: str) -> None:
    (mistake,) = make(content).mistakes
    assert mistake.where == "spe.yaml:1: command" and "#!" in mistake.what + mistake.todo
    assert len(str(mistake).splitlines()) <= 3


@pytest.mark.parametrize(
    ("suffix", "interpreter"), [(".py", "python3"), (".sh", "bash"), (".R", "Rscript"), (".jl", "julia")]
)
def test_the_line_to_add_is_that_of_the_suffix(make: Make, suffix: str, interpreter: str) -> None:
    (mistake,) = make("x\n", f"./sim{suffix} {{{{ x }}}}", name=f"sim{suffix}").mistakes
    assert f"#!/usr/bin/env {interpreter}" in mistake.todo


@pytest.mark.parametrize(
    ("content", "interpreter"),
    [
        ("import sys\nprint(1)\n", "python3"),
        ("# a comment\n\nfrom math import pi\n", "python3"),
        ('"""What it does."""\nprint(1)\n', "python3"),
        ("def run(x):\n    return x\n", "python3"),
        ("library(stats)\n", "Rscript"),
        ("use strict;\n", "perl"),
        ("echo 1\n", "bash"),
        ("import -window root picture.png\n", "bash"),
        ("from=1\n", "bash"),
    ],
)
def test_the_line_to_add_is_that_of_the_language_where_the_name_has_no_suffix(
    make: Make, content: str, interpreter: str
) -> None:
    (mistake,) = make(content).mistakes
    assert mistake.todo == f"Write as its first line: #!/usr/bin/env {interpreter}"


@pytest.mark.parametrize(
    ("content", "command", "more"),
    [
        ("#!/bin/sh\necho 1\n", "./sim {{ x }}", ""),
        ("#!/bin/sh", "./sim {{ x }}", ""),
        ("#! /usr/bin/env python3\n", "./{{ worker }} {{ x }}", "worker: sim\n"),
        (b"MZqFpD='\n\0", "./sim {{ x }}", ""),
        (b"PK\x03\x04\0\0", "./sim {{ x }}", ""),
        (b"\0asm\1\0\0\0", "./sim {{ x }}", ""),
        ("echo 1\n", "sh {{ worker }} {{ x }}", "worker: sim\n"),
        ("echo 1\n", "'./{{ worker }} {{ x }} | cat'", "worker: sim\nshell: true\n"),
    ],
)
def test_what_a_host_may_start_is_no_mistake(make: Make, content: str | bytes, command: str, more: str) -> None:
    assert make(content, command, more).mistakes == ()


@pytest.mark.parametrize(
    ("content", "command", "more"),
    [
        ("#!/bin/sh\r\necho 1\r\n", "./sim {{ x }}", ""),
        ("#!/usr/bin/env python3\r\nprint()\r\n", "./{{ worker }} {{ x }}", "worker: sim\n"),
        ("#!/bin/bash -e\r\n", "./sim {{ x }}", ""),
        ("#!/bin/sh\r\necho 1\r\n", "sh {{ worker }} {{ x }}", "worker: sim\n"),
        ("echo 1\r\necho 2\r\n", "bash sim {{ x }}", "inputs: {sim: {file: sim}}\n"),
    ],
)
def test_dos_line_ends_of_a_script_are_told_with_the_command_to_mend_them(
    make: Make, tmp_path: Path, content: str, command: str, more: str
) -> None:
    (mistake,) = make(content, command, more).mistakes
    assert "line ends of Windows" in mistake.what and "sim" in mistake.what
    line = mistake.todo.split("`")[1]
    subprocess.run(line, shell=True, check=True, cwd=tmp_path)
    assert b"\r" not in (tmp_path / "sim").read_bytes() and load(tmp_path).mistakes == ()


@pytest.mark.parametrize(
    ("content", "command", "more"),
    [
        ("#!/usr/bin/perl -w\r\nprint 1;\r\n", "./sim {{ x }}", ""),
        ("print(1)\r\n", "python3 sim {{ x }}", "inputs: {sim: {file: sim}}\n"),
        ("a\r\nb\r\n", "cat sim {{ x }}", "inputs: {sim: {file: sim}}\n"),
        ("#!/bin/sh\necho a\r\n", "./sim {{ x }}", ""),
    ],
)
def test_dos_line_ends_that_no_program_stumbles_over_are_none(
    make: Make, content: str, command: str, more: str
) -> None:
    assert make(content, command, more).mistakes == ()


# -- the first word


def test_a_script_here_without_its_slash_is_told(make: Make, tmp_path: Path) -> None:
    (mistake,) = make("#!/bin/sh\n", "script.sh {{ x }}", name="script.sh").mistakes
    assert "script.sh is a file here" in mistake.what and "PATH" in mistake.what
    assert "./script.sh" in mistake.todo and "chmod" not in mistake.todo
    (tmp_path / "script.sh").chmod(0o644)
    (mistake,) = load(tmp_path).mistakes
    assert "chmod +x script.sh" in mistake.todo
    made = from_command_line(one_liner(["script.sh", "{{ x }}"], ["x=1"]), tmp_path)
    assert "./script.sh" in made.mistakes[0].todo


def test_a_program_of_the_path_that_lies_here_too_is_none(make: Make) -> None:
    assert shutil.which("cat")
    assert make("#!/bin/sh\n", "cat {{ x }}", name="cat").mistakes == ()


def test_a_file_that_is_no_program_is_no_mistake_of_the_first_word(make: Make, tmp_path: Path) -> None:
    make("data\n", "simulate {{ x }}", name="simulate")
    (tmp_path / "simulate").chmod(0o644)
    assert load(tmp_path).mistakes == ()


def test_where_a_setup_may_bring_the_program_it_is_a_warning(make: Make) -> None:
    made = make("#!/bin/sh\n", "script.sh {{ x }}", "setup: module load x\n", name="script.sh")
    assert made.mistakes == () and any("script.sh is a file here" in one for one in made.warnings)


@pytest.mark.parametrize("words", ["./sim {{ x }}", "./sim 1", "python3 s.py {{ x }}", "sim -x {{ x }}"])
def test_a_command_that_is_one_word_with_blanks_is_told(make: Make, tmp_path: Path, words: str) -> None:
    make("#!/bin/sh\n")
    with pytest.raises(SpeError) as caught:
        from_command_line(one_liner([words], ["x=1:2"]), tmp_path)
    assert "one word" in caught.value.what and words in caught.value.what
    assert f"-- {words}".replace("{{ x }}", "'{{ x }}'") in caught.value.todo
    with pytest.raises(ConfigError) as told:
        make("#!/bin/sh\n", f"\"'{words}'\"")
    assert "one word" in told.value.what and "shell: true" in told.value.todo


def test_a_program_whose_name_has_a_blank_is_none(make: Make, tmp_path: Path) -> None:
    assert make("#!/bin/sh\n", "\"'./my sim' {{ x }}\"", name="my sim").mistakes == ()
    from_command_line(one_liner(["/opt/my programs/sim", "1"]), tmp_path)
    from_command_line(one_liner(["{{ 'a b' }}", "1"]), tmp_path)


# -- platforms


@pytest.mark.parametrize(
    ("head", "platform"),
    [
        (elf(X86), "x86_64"),
        (elf(ARM), "aarch64"),
        (elf(0x03, bits=1), "i386"),
        (elf(0x28, bits=1), "arm"),
        (elf(0xF3), "riscv64"),
        (elf(0x15), "ppc64le"),
        (elf(0x15, order=2), "ppc64"),
        (elf(0x16, order=2), "s390x"),
        (elf(0x7777), ""),
        (b"#!/bin/sh\n", ""),
        (b"\x7fELF", ""),
        (b"", ""),
    ],
)
def test_the_platform_of_a_binary_is_read_from_its_head(head: bytes, platform: str) -> None:
    assert elf_platform(head) == platform


@given(st.binary(max_size=64) | st.binary(max_size=60).map(b"\x7fELF".__add__))
def test_any_head_is_read_without_a_fault(head: bytes) -> None:
    assert isinstance(elf_platform(head), str)


@pytest.mark.parametrize(
    ("binary", "host", "runs"),
    [
        ("x86_64", "linux-x86_64", True),
        ("i386", "linux-x86_64", True),
        ("aarch64", "linux-x86_64", False),
        ("x86_64", "linux-aarch64", False),
        ("arm", "linux-aarch64", True),
        ("x86_64", "linux-sw_64", True),
        ("x86_64", "freebsd-amd64", True),
        ("", "linux-x86_64", True),
    ],
)
def test_a_host_runs_its_own_binaries_and_those_of_its_32_bit_brother(binary: str, host: str, runs: bool) -> None:
    assert runs_there(binary, host) is runs


def other() -> bytes:
    return elf(0x102)  # LoongArch: another test may teach this kernel to run aarch64


def test_a_binary_of_another_platform_is_told_where_all_work_is_here(make: Make) -> None:
    made = make(other(), more="hosts: [localhost]\n")
    (mistake,) = check_platform(made.worker, made.hosts)
    assert "is a program for" in mistake.what and f"linux-{os.uname().machine}" in mistake.what
    assert "worker:" in mistake.todo
    assert not list(check_platform(made.worker, (Host("lab1"),))), "what hosts are is known when they have registered"
    made = make(Path("/bin/true").resolve().read_bytes())
    assert not list(check_platform(made.worker, made.hosts))


def test_a_binary_that_is_named_for_the_platform_is_trusted(make: Make) -> None:
    made = make(other(), "./{{ worker }} {{ x }}", f"worker: {{linux-{os.uname().machine}: sim, any: sim}}\n")
    assert not list(check_platform(made.worker, made.hosts))


def test_a_binary_that_this_kernel_hands_to_an_emulator_is_none(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from spe.sweep.checks import platforms

    made = make(other())
    monkeypatch.setattr(platforms, "_is_emulated", lambda head: True)
    assert not list(check_platform(made.worker, made.hosts))


def test_the_place_of_a_worker_is_the_key_as_it_is_written(make: Make) -> None:
    (mistake,) = make("echo\n", "./{{ worker }} {{ x }}", "worker: sim\n").mistakes
    assert mistake.where == "spe.yaml:3: worker"
    (mistake, other) = make("echo\n", "./{{ worker }} {{ x }}", "worker: {any: sim, linux: sim}\n").mistakes
    assert mistake.where == "spe.yaml:3: worker.any" and other.where == "spe.yaml:3: worker.linux"


@pytest.mark.parametrize(
    ("command", "more", "is_told"),
    [
        ("qwertz {{ x }}", "", True),
        ("qwertz {{ x }}", "hosts: [localhost slots=2]\n", True),
        ("qwertz {{ x }}", "hosts: [lab01]\n", False),
        ("qwertz {{ x }}", "hosts: [localhost, lab01]\n", False),
        ("qwertz {{ x }}", "setup: module load qwertz\n", False),
        ("qwertz {{ x }}", "env: {PATH: /opt/qwertz/bin}\n", False),
        ("qwertz {{ x }}", "shell: true\n", False),
        ("/opt/qwertz {{ x }}", "", False),
        ("echo {{ x }}", "", False),
    ],
)
def test_a_program_that_this_shell_does_not_know_is_a_warning_where_all_tasks_run_here(
    make: Make, command: str, more: str, is_told: bool
) -> None:
    warnings = make("", command, more).warnings
    assert any("there is no program qwertz in the PATH" in one for one in warnings) == is_told, warnings
