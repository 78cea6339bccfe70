"""Tasks share nothing that they can write: each has its own worker and inputs, large ones linked and compared."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from needs import need, need_program, need_root
from waiting import wait_out

from .kit import Started, python_that
from .pretended_master import Master, task

PLATFORM = f"linux-{os.uname().machine}"
SH = ("/bin/sh", "-c")
MB = 1 << 20
LARGE = bytes(range(256)) * (2 * MB // 256)
SPOIL = "chmod u+w {0} && printf '\\n# changed' >> {0}"
AS_IT_WAS = f"{hashlib.sha256(LARGE).hexdigest()}  -\n".encode()


@pytest.fixture(params=["batches", "one by one"])
def master(master: Master, request: pytest.FixtureRequest) -> Iterator[Master]:
    master.config["Ping"] = "0.5"
    if request.param == "batches":
        master.config["Batch"] = "Yes"
    yield master


def shared(master: Master, content: bytes) -> bytes:
    master.files[hashlib.sha256(content).hexdigest()] = content
    return content


def given_back(master: Master) -> list[int]:
    return [int(ticket) for one in master.of("/back") for ticket in one.query["ticket"]]


def give_out(master: Master, count: int, record: Callable[[int, int], bytes]) -> dict[int, bool]:
    """Give out so many sets, and those that come back again, with other tickets, until all have ended.

    `record` makes a task record of (ticket, number of the set). Returns set -> whether it failed.
    """
    numbers = {number: number for number in range(1, count + 1)}  # ticket -> set
    master.over = False
    master.add(*(record(number, number) for number in numbers))
    again: list[int] = []

    def ended() -> list[int]:
        return [*master.completed, *master.failed]

    while len(ended()) < count:
        master.wait_for(lambda: len(given_back(master)) > len(again) or len(ended()) >= count)
        for ticket in given_back(master)[len(again) :]:
            again.append(ticket)
            numbers[ticket + 1000] = numbers[ticket]
            master.add(record(ticket + 1000, numbers[ticket]))
    master.finish()
    assert sorted(numbers[ticket] for ticket in ended()) == list(range(1, count + 1)), "each has ended once"
    return {numbers[ticket]: ticket in master.failed for ticket in ended()}


# -- small files


def test_a_worker_that_writes_into_itself_changes_no_other_tasks(master: Master, client: Started) -> None:
    master.worker("prog", b'#!/bin/sh\nwc -l < "$0"\necho "echo junk" >> "$0"\n', PLATFORM)
    master.add(*(task(n, "./prog") for n in range(1, 13)))
    assert client.run("--slots", "2")[0] == 0
    assert {one.parts["stdout"].strip() for one in master.completed.values()} == {b"3\njunk"}
    assert len(master.completed) == 12 and len(master.of("/worker")) == 1


def test_a_scratch_file_beside_the_executable_is_the_tasks_own(master: Master, client: Started) -> None:
    script = b"""#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
[ -e "$here/scratch" ] || echo "$1" > "$here/scratch"
cat "$here/scratch"
"""
    master.worker("prog", script, PLATFORM)
    master.add(*(task(n, "./prog", str(n)) for n in range(1, 13)))
    assert client.run("--slots", "2")[0] == 0
    assert {n: int(one.parts["stdout"]) for n, one in master.completed.items()} == {n: n for n in range(1, 13)}


@pytest.mark.parametrize("words", [("./prog.py",), ("python3", "prog.py")])
def test_a_python_worker_finds_the_module_beside_it(master: Master, client: Started, words: tuple[str, ...]) -> None:
    master.worker("prog.py", b"#!/usr/bin/env python3\nimport helper\nprint(helper.NUMBER)\n", PLATFORM)
    master.add(*(task(n, *words, inputs={"helper.py": b"NUMBER = %d\n" % n}) for n in range(1, 7)))
    assert client.run("--slots", "2")[0] == 0
    assert {n: int(one.parts["stdout"]) for n, one in master.completed.items()} == {n: n for n in range(1, 7)}


def test_a_program_finds_its_library_beside_itself(master: Master, client: Started, tmp_path: Path) -> None:
    cc = need_program("cc", "gcc")
    (tmp_path / "part.c").write_text("int number(void) { return 17; }\n")
    (tmp_path / "prog.c").write_text("int number(void); int main(void) { return number(); }\n")
    subprocess.run([cc, "-shared", "-fPIC", "-o", "libpart.so", "part.c"], cwd=tmp_path, check=True)
    subprocess.run([cc, "-o", "prog", "prog.c", "-L.", "-lpart", "-Wl,-rpath,$ORIGIN"], cwd=tmp_path, check=True)
    master.worker("prog", (tmp_path / "prog").read_bytes(), PLATFORM)
    library = (tmp_path / "libpart.so").read_bytes()
    master.add(*(task(n, *SH, "./prog; echo $?", inputs={"libpart.so": library}) for n in (1, 2)))
    assert client.run("--slots", "2")[0] == 0
    assert [one.parts["stdout"] for one in master.completed.values()] == [b"17\n"] * 2


def test_a_shell_worker_finds_a_file_beside_itself_from_another_directory(master: Master, client: Started) -> None:
    script = b'#!/bin/sh\nme=$(readlink -f "$0")\ncd /\ncat "$(dirname "$me")/part.sh"\n'
    master.worker("prog", script, PLATFORM)
    master.add(*(task(n, "./prog", inputs={"part.sh": b"of %d\n" % n}) for n in (1, 2)))
    assert client.run("--slots", "1")[0] == 0
    assert {n: one.parts["stdout"] for n, one in master.completed.items()} == {1: b"of 1\n", 2: b"of 2\n"}


def test_what_a_program_does_to_the_clients_copy_of_a_small_worker_reaches_no_task(
    master: Master, client: Started
) -> None:
    spoil = b"echo right; chmod u+w ../../worker/prog; echo echo wrong > ../../worker/prog\n"
    master.worker("prog", b"#!/bin/sh\n" + spoil, PLATFORM)
    master.add(*(task(n, "./prog") for n in range(1, 7)))
    assert client.run("--slots", "1")[0] == 0
    assert [one.parts["stdout"] for one in master.completed.values()] == [b"right\n"] * 6


def test_a_worker_can_be_started_whatever_the_umask(master: Master, client: Started) -> None:
    master.worker("prog", b"#!/bin/sh\necho here\n", PLATFORM)
    master.add(task(1, "./prog"))
    before = os.umask(0o177)
    try:
        client.start("--slots", "1")
    finally:
        os.umask(before)
    assert client.end()[0] == 0
    assert master.completed[1].parts["stdout"] == b"here\n"


def test_what_a_program_does_to_the_clients_copy_of_a_small_input_reaches_no_task(
    master: Master, client: Started
) -> None:
    data = shared(master, bytes(100_000))
    script = "sha256sum < data; chmod u+w ../../files/*; echo more >> ../../files/*"
    master.add(*(task(n, *SH, script, shared={"data": data}) for n in range(1, 13)))
    assert client.run("--slots", "1")[0] == 0
    right = f"{hashlib.sha256(data).hexdigest()}  -\n".encode()
    assert [one.parts["stdout"] for one in master.completed.values()] == [right] * 12


# -- large files


@pytest.mark.parametrize("kind", ["input", "worker"])
@pytest.mark.parametrize("less", [1, 0])
def test_files_from_1_mb_on_are_linked_and_smaller_ones_copied(
    master: Master, client: Started, kind: str, less: int
) -> None:
    content = (b"#!/bin/sh\nexec stat -c '%h %i %a' prog\n" + b"#" * MB)[: MB - less]
    mode = "555" if kind == "worker" else "444"
    if kind == "worker":
        master.worker("prog", content, PLATFORM)
        master.add(*(task(n, "./prog") for n in range(1, 4)))
    else:
        shared(master, content)
        master.add(*(task(n, "stat", "-c", "%h %i %a", "prog", shared={"prog": content}) for n in range(1, 4)))
    assert client.run("--slots", "1")[0] == 0
    seen = [one.parts["stdout"].decode().split() for one in master.completed.values()]
    if less:
        assert {links for links, _, _ in seen} == {"1"} and mode not in {one[2] for one in seen}
    else:
        assert all(int(links) > 1 for links, _, _ in seen) and {one[2] for one in seen} == {mode}
        assert len({inode for _, inode, _ in seen}) == 1
    assert len(master.completed) == 3


@pytest.mark.parametrize("slots", ["1", "2"])
def test_who_writes_into_a_linked_input_is_found_and_the_others_lose_nothing(
    master: Master, client: Started, slots: str
) -> None:
    """Task 3 changes it. What ran with it is lost and goes back uncharged; with one of its own, task 3 fails."""
    shared(master, LARGE)
    good = "sha256sum < data; sleep 0.05; sha256sum < data"
    bad = f"{SPOIL.format('data')}; echo done"
    scripts = {number: bad if number == 3 else good for number in range(1, 7)}

    def record(ticket: int, number: int) -> bytes:
        return task(ticket, *SH, scripts[number], shared={"data": LARGE}, extra=f"Task={number}\n")

    client.start("--slots", slots)
    give_out(master, len(scripts), record)
    assert client.end()[0] == 0
    (failed,) = master.failed.values()
    assert failed.ticket == 1003, "it was charged when it did it again"
    assert "the program changed data" in failed.reason and "copy" in failed.reason
    assert len(master.completed) == 5
    assert {one.parts["stdout"] for one in master.completed.values()} == {2 * AS_IT_WAS}
    assert len(master.of("/file")) == 2, "it was fetched again, once"
    assert not client.workdir.exists()


LOOK = "import os; s = os.stat('{0}'); print(oct(s.st_mode), s.st_uid, s.st_gid, os.listxattr('{0}'))"
META = ["chmod 600 {0}", "chmod a+w {0}", "chown 12 {0}", "chgrp 13 {0}",
        "python3 -c \"import os; os.chmod('{0}', 0o644); os.setxattr('{0}', 'user.note', b'1'); os.chmod('{0}', {1})\""]


@pytest.mark.parametrize("change", META)
@pytest.mark.parametrize("kind", ["input", "worker"])
def test_who_changes_mode_owner_or_attributes_of_a_linked_file_is_found(
    master: Master, client: Started, kind: str, change: str
) -> None:
    """The others see none of it. The set that does it again, with a file of its own, fails."""
    need("ch" not in change or os.geteuid() == 0 or "chmod" in change, "needs root")
    content = f"#!/bin/sh\npython3 -c \"{LOOK.format('prog')}\"\neval \"$1\"\nexit\n".encode() + b"#" * (2 * MB)
    name, mode = ("prog", 0o555) if kind == "worker" else ("data", 0o444)
    change = change.format(name, mode)
    if kind == "worker":
        master.worker("prog", content, PLATFORM)
    else:
        shared(master, LARGE)

    def record(ticket: int, number: int) -> bytes:
        words = ("./prog",) if kind == "worker" else (*SH, f'python3 -c "{LOOK.format("data")}"; eval "$0"')
        files = {} if kind == "worker" else {"data": LARGE}
        return task(ticket, *words, change if number == 1 else "true", shared=files, extra=f"Task={number}\n")

    master.over = False
    master.add(record(1, 1))
    client.start("--slots", "1")
    master.wait_for(lambda: given_back(master) == [1])
    master.add(record(2, 2), record(3, 1), record(4, 4))
    master.wait_for(lambda: len(master.completed) + len(master.failed) == 3)
    master.finish()
    assert client.end()[0] == 0
    assert set(master.failed) == {3} and f"the program changed {name}" in master.failed[3].reason
    expected = f"0o100{mode:o} {os.getuid()} {os.getgid()} []\n".encode()
    assert {one.parts["stdout"] for one in master.completed.values()} == {expected}


def test_who_runs_with_a_changed_input_is_ended_and_comes_to_no_harm(master: Master, client: Started) -> None:
    """Task 1 runs for ever as task 2 changes what both have."""
    shared(master, LARGE)
    master.over = False
    master.add(
        task(1, *SH, f"touch {client.folder}/runs; sleep 60", shared={"data": LARGE}, extra="Task=1\n"),
        task(2, *SH, f"while ! [ -e {client.folder}/runs ]; do sleep 0.01; done; {SPOIL.format('data')}",
             shared={"data": LARGE}, extra="Task=2\n"),
    )  # fmt: skip
    client.start("--slots", "2")
    master.wait_for(lambda: sorted(given_back(master)) == [1, 2])
    master.add(task(3, *SH, "sha256sum < data", shared={"data": LARGE}, extra="Task=1\n"))
    master.wait_for(lambda: 3 in master.completed)
    master.finish()
    assert client.end()[0] == 0
    assert master.completed[3].parts["stdout"] == AS_IT_WAS
    assert not master.failed and set(master.completed) == {3}


def test_who_writes_into_a_linked_worker_is_found(master: Master, client: Started) -> None:
    script = b"#!/bin/sh\nif [ $1 = 2 ]; then chmod u+w $0; echo '# more' >> $0; fi\nwc -c < $0\nexit\n"
    content = script + b"#" * (2 * MB)
    master.worker("prog", content, PLATFORM)
    master.over = False
    master.add(*(task(n, "./prog", str(n), extra=f"Task={n}\n") for n in range(1, 4)))
    client.start("--slots", "1")
    master.wait_for(lambda: given_back(master))
    back = given_back(master)
    assert 2 in back
    master.add(*(task(10 + n, "./prog", str(n), extra=f"Task={n}\n") for n in back))
    master.wait_for(lambda: len(master.completed) == 2 and master.failed)
    master.finish()
    assert client.end()[0] == 0
    assert sorted(master.failed) == [12]
    assert "the program changed prog" in master.failed[12].reason
    assert {int(one.parts["stdout"]) for one in master.completed.values()} == {len(content)}


def test_the_innocent_pass_when_they_run_again(master: Master, client: Started) -> None:
    """All that ran with it are suspects then; each has a file of its own, and only who writes again fails."""
    shared(master, LARGE)
    all_run = f"while [ $(ls {client.folder} | grep -c run-) -lt 3 ]; do sleep 0.01; done"
    # An innocent that ended before would be right to complete, and nobody would look until the third has slept.
    is_spoilt = f"while ! [ -e {client.folder}/spoilt ]; do sleep 0.01; done"
    scripts = {n: f"touch {client.folder}/run-{n}; {is_spoilt}; sha256sum < data" for n in (1, 2)}
    spoil = f"{SPOIL.format('data')}; touch {client.folder}/spoilt"
    scripts[3] = f"touch {client.folder}/run-3; {all_run}; {spoil}; sleep 60"
    master.over = False
    master.add(*(task(n, *SH, text, shared={"data": LARGE}, extra=f"Task={n}\n") for n, text in scripts.items()))
    client.start("--slots", "3")
    master.wait_for(lambda: sorted(given_back(master)) == [1, 2, 3])
    scripts[3] = SPOIL.format("data")
    master.add(*(task(n + 10, *SH, scripts[n], shared={"data": LARGE}, extra=f"Task={n}\n") for n in scripts))
    master.wait_for(lambda: len(master.completed) == 2 and master.failed)
    master.finish()
    assert client.end()[0] == 0
    assert set(master.failed) == {13}
    assert {one.parts["stdout"] for one in master.completed.values()} == {AS_IT_WAS}


@pytest.mark.parametrize(
    "replace",
    ["rm -f data; echo mine > data", "cp data x; chmod u+w x; echo mine >> x; mv -f x data", "sed -i s/a/b/ data"],
)
def test_who_puts_a_file_of_its_own_in_the_place_of_a_linked_one_does_no_wrong(
    master: Master, client: Started, replace: str
) -> None:
    shared(master, LARGE)
    master.add(*(task(n, *SH, f"sha256sum < data; {replace}", shared={"data": LARGE}) for n in range(1, 5)))
    assert client.run("--slots", "1")[0] == 0
    assert [one.parts["stdout"] for one in master.completed.values()] == [AS_IT_WAS] * 4
    assert not master.of("/back") and len(master.of("/file")) == 1


def test_a_linked_input_that_is_a_result_too_is_the_tasks_own_to_write(master: Master, client: Started) -> None:
    shared(master, LARGE)
    script = "echo more >> state"
    master.add(*(task(n, *SH, script, shared={"state": LARGE}, results={"state": "state"}) for n in range(1, 4)))
    assert client.run("--slots", "1")[0] == 0
    assert {one.sizes["state"] for one in master.completed.values()} == {len(LARGE) + 5}
    assert not master.of("/back")


def test_a_linked_input_is_fed_on_stdin(master: Master, client: Started) -> None:
    shared(master, LARGE)
    master.add(*(task(n, "sha256sum", shared={"stdin": LARGE}) for n in range(1, 4)))
    assert client.run("--slots", "1")[0] == 0
    assert [one.parts["stdout"] for one in master.completed.values()] == [AS_IT_WAS] * 3


def test_where_the_file_system_shares_blocks_each_task_has_a_file_to_write(
    master: Master, client: Started, tmp_path: Path
) -> None:
    need_root()
    need_program("mkfs.btrfs", "btrfs-progs")
    filefrag = need_program("filefrag", "e2fsprogs")
    need("btrfs" in Path("/proc/filesystems").read_text(), "needs btrfs in the kernel")
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    subprocess.run(["truncate", "-s", "200M", image], check=True)
    subprocess.run(["mkfs.btrfs", "-q", image], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        client.workdir = place / "work"
        content = b'#!/bin/sh\nexec /bin/sh -c "$1"\n' + b"#" * (2 * MB)
        master.worker("prog", content, PLATFORM)
        shared(master, LARGE)
        script = f"{filefrag} -v data prog | grep -c shared; wc -c < data; wc -c < prog; echo x >> data; echo x >> prog"
        master.add(*(task(n, "./prog", script, shared={"data": LARGE}) for n in range(1, 5)))
        code, said = client.run("--slots", "2")
        assert code == 0, said
        assert {one.parts["stdout"] for one in master.completed.values()} == {
            b"2\n%d\n%d\n" % (len(LARGE), len(content))
        }
        assert len(master.completed) == 4 and not master.of("/back")
    finally:
        subprocess.run(["umount", place], check=True)


# -- results


def test_a_program_makes_the_folder_of_its_result_itself(master: Master, client: Started) -> None:
    master.add(
        task(1, *SH, "mkdir out && echo 1 > out/x", results={"x": "out/x"}),
        task(2, *SH, "echo 2 > in/x", inputs={"in/y": b""}, results={"x": "in/x"}),
        task(3, *SH, "echo 3 > out/x", results={"x": "out/x"}),
    )  # fmt: skip
    assert client.run("--slots", "1")[0] == 0
    assert {n: one.parts["x"] for n, one in master.completed.items()} == {1: b"1\n", 2: b"2\n"}
    assert set(master.failed) == {3}


# -- what else may go wrong


def test_a_changed_input_that_the_master_does_not_give_out_again_fails_those_that_wait_for_it(
    master: Master, client: Started, tmp_path: Path
) -> None:
    master.script["/file"].extend([(200, {}, LARGE), (404, {}, b"it is gone")])
    gated = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.05; done; {SPOIL.format('data')}"
    master.add(
        task(1, "sleep", "0.1", shared={"data": LARGE}),
        task(2, *SH, gated, shared={"data": LARGE}),
        *(task(n, "sha256sum", "data", shared={"data": LARGE}) for n in range(3, 7)),
    )
    master.config["Batch"] = "Yes"  # or nothing is fetched ahead, and nothing waits
    ahead = "from spe_client.loop import prefetch; prefetch.SECONDS = 1000.0"
    client.start("--slots", "1", python=python_that(tmp_path, ahead))
    master.wait_for(lambda: not master.tasks)
    wait_out(1)  # the client looks for the files of what it has just got
    (tmp_path / "gate").touch()
    code, said = client.end()
    assert code == 0, said
    assert given_back(master) == [2] and set(master.failed) == {3, 4, 5, 6}
    for one in master.failed.values():
        assert "an input file cannot be had again" in one.reason and "404 it is gone" in one.reason


def test_a_changed_worker_that_cannot_be_had_again_ends_the_client(master: Master, client: Started) -> None:
    content = f"#!/bin/sh\nrm -r {client.cache}; chmod u+w $0; echo >> $0\nexit\n".encode() + b"#" * (2 * MB)
    master.worker("prog", content, PLATFORM)
    master.script["/worker"].extend([(200, {}, content), (415, {}, b"it is gone")])
    master.over = False
    master.add(task(1, "./prog"))
    code, said = client.run("--slots", "1")
    assert code == 9 and "the worker prog could not be fetched: 415 it is gone" in said
    assert given_back(master) == [1] and not client.workdir.exists()


def test_a_changed_worker_for_which_there_is_no_room_ends_the_client(master: Master, client: Started) -> None:
    """As on a full disk: its folder is a file now."""
    content = b"#!/bin/sh\nchmod u+w $0; echo >> $0; rm -r ../../worker; touch ../../worker\nexit\n"
    master.worker("prog", content + b"#" * (2 * MB), PLATFORM)
    master.over = False
    master.add(task(1, "./prog"))
    code, said = client.run("--slots", "1")
    assert code == 9 and "the worker could not be fetched again: " in said
    assert given_back(master) == [1] and not client.workdir.exists()


def test_large_files_are_copied_where_there_are_no_links(master: Master, client: Started, tmp_path: Path) -> None:
    """As on some parallel file systems. The client that has not the right to link is a real one."""
    code = "import os\ndef link(*_, **__): raise PermissionError(1, 'no links here')\nos.link = link\n"
    content = b"#!/bin/sh\nsha256sum < data; stat -c %h data prog; echo x >> data; echo '#x' >> prog; exit\n"
    master.worker("prog", content + b"#" * MB, PLATFORM)
    shared(master, LARGE)
    master.add(*(task(n, "./prog", shared={"data": LARGE}) for n in range(1, 9)))
    ended, said = client.run("--slots", "2", python=python_that(tmp_path, code))
    assert ended == 0, said
    assert [one.parts["stdout"] for one in master.completed.values()] == [AS_IT_WAS + b"1\n1\n"] * 8
    assert not master.of("/back") and not client.workdir.exists()


# A Python whose client lets many tasks lie ready at each hand, however long they take here, and notes how many move.
MOVING = """
from spe_client.loop import attempts, prefetch
prefetch.NEAR, prefetch.SECONDS = 60.0, 1000.0
hear_unbegun = attempts.AttemptPipeline.hear_unbegun
def noted(self, told):
    with open({moved!r}, "a") as file:
        file.write("%d\\n" % len(told))
    hear_unbegun(self, told)
attempts.AttemptPipeline.hear_unbegun = noted
"""


@pytest.mark.parametrize("master", ["batches"], indirect=True)  # one by one, none lies ready at a hand, and none moves
def test_tasks_that_move_between_hands_take_their_links_along(master: Master, client: Started, tmp_path: Path) -> None:
    """A failure has a hand give back what it has not begun, and so has an idle one; then directories are made anew."""
    script = b"#!/bin/sh\nwc -c < data; wc -c < $0; exit $(($1 % 5 == 0))\n"
    master.worker("prog", script + b"#" * (2 * MB), PLATFORM)
    shared(master, LARGE)
    moved = tmp_path / "moved"
    client.start("--slots", "3", python=python_that(tmp_path, MOVING.format(moved=str(moved))))
    # When three in a row fail, it may be the host: what has not begun goes back to the master.
    ended = give_out(master, 300, lambda ticket, number: task(ticket, "./prog", str(number), shared={"data": LARGE}))
    code, said = client.end()
    assert code == 0, said
    assert {number for number, failed in ended.items() if failed} == set(range(5, 301, 5))
    assert sum(map(int, moved.read_text().split())) > 100 and len(master.of("/file")) == 1
    sizes = f"{len(LARGE)}\n{len(script) + 2 * MB}\n".encode()
    assert {one.parts["stdout"] for one in master.completed.values()} == {sizes}
    assert not client.workdir.exists()


def test_several_inputs_that_are_together_larger_than_the_limit_are_all_there(master: Master, client: Started) -> None:
    """A client whose limit is 3 MB: what a task needs is not removed for the next of its files."""
    parts = {f"part{n}": bytes([n]) * (2 * MB) for n in range(3)}
    for content in parts.values():
        shared(master, content)
    small = "from spe_client.shared import inputs\ninputs.InputCache.__init__.__defaults__ = (3 << 20, set)\n"
    master.add(*(task(n, *SH, "cat part* | wc -c", shared=parts) for n in range(1, 4)))
    code, said = client.run("--slots", "1", python=python_that(client.folder, small))
    assert code == 0, said
    assert [int(one.parts["stdout"]) for one in master.completed.values()] == [6 * MB] * 3
