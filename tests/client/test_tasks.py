"""What the client does with a task: its directory, its program, its results."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from needs import need_program, need_root
from spe.client import exits
from spe.client.host import setup

from .kit import Started
from .pretended_master import SESSION, Master, task

SH = ("/bin/sh", "-c")
HOST = socket.gethostname()


def run_one(master: Master, client: Started, record: bytes, *arguments: str) -> None:
    master.add(record)
    code, said = client.run(*arguments)
    assert code == 0, said


def test_a_task_runs_and_its_result_arrives(master: Master, client: Started) -> None:
    run_one(master, client, task(1, "echo", "hello"))
    assert master.completed[1].parts["stdout"] == b"hello\n"


def test_words_arrive_as_they_were_quoted_and_no_shell_reads_them(master: Master, client: Started) -> None:
    words = ["a b", "", "it's", 'say "x"', "$(touch /tmp/never)", "two\nlines", "ümlaut", "-x", "b\\s", "x" * 100_000]
    run_one(master, client, task(1, "printf", "%s\\0", *words))
    assert master.completed[1].parts["stdout"] == b"".join(word.encode() + b"\0" for word in words)


def test_inputs_are_taken_by_their_length_whatever_is_in_them(master: Master, client: Started) -> None:
    nasty = b"\0\xff--end content--\n[Result]\nName=x\n\n" + bytes(range(256))
    record = task(1, "cat", "a.bin", "sub/deep/b.bin", inputs={"a.bin": nasty, "sub/deep/b.bin": b""})
    run_one(master, client, record)
    assert master.completed[1].parts["stdout"] == nasty


def test_stdin_is_fed_and_empty_without_one(master: Master, client: Started) -> None:
    master.add(task(1, "cat", inputs={"stdin": b"in\0put"}), task(2, "cat"))
    assert client.run()[0] == 0
    assert master.completed[1].parts["stdout"] == b"in\0put"
    assert master.completed[2].parts["stdout"] == b""


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", "a/", "..", "a\0b"])
def test_a_file_name_that_leaves_the_directory_is_refused(master: Master, client: Started, name: str) -> None:
    master.add(task(1, "true", inputs={name: b"evil"}), task(2, "true", results={"r": name}))
    assert client.run()[0] == 0
    assert "refused" in master.failed[1].reason
    assert "refused" in master.failed[2].reason
    assert not master.completed


def test_an_input_that_has_the_name_of_the_worker_does_not_overwrite_it(master: Master, client: Started) -> None:
    master.worker("prog", b"#!/bin/sh\necho worker\n", "linux-" + os.uname().machine)
    master.add(task(1, "./prog", inputs={"prog": b"#!/bin/sh\necho other\n"}), task(2, "./prog"))
    assert client.run("--slots", "1")[0] == 0
    assert "'prog'" in master.failed[1].reason
    assert master.completed[2].parts["stdout"] == b"worker\n"


def test_each_task_has_its_own_directory_and_nothing_of_it_stays(master: Master, client: Started) -> None:
    master.add(*(task(n, *SH, "pwd; ls | wc -l; echo x > same; mkdir d; chmod 0 d") for n in range(1, 6)))
    assert client.run("--slots", "2")[0] == 0
    seen = [master.completed[n].parts["stdout"].split() for n in range(1, 6)]
    assert len({one[0] for one in seen}) == 5
    assert all(one[1] == b"0" for one in seen)
    assert not client.workdir.exists()


def test_named_results_come_from_their_files(master: Master, client: Started) -> None:
    script = "echo out; echo A > a.txt; mkdir sub; printf '\\000\\377' > sub/b.bin; echo err >&2"
    record = task(1, *SH, script, results={"first": "a.txt", "second": "sub/b.bin", "printed": "stdout"})
    run_one(master, client, record)
    parts = master.completed[1].parts
    assert (parts["first"], parts["second"], parts["printed"]) == (b"A\n", b"\0\xff", b"out\n")
    assert (parts["stderr"], parts["exit-code"]) == (b"err\n", b"0")


def test_usage_tells_time_and_memory(master: Master, client: Started) -> None:
    hungry = "x = bytearray(200_000_000); s = sum(range(3_000_000))"
    run_one(master, client, task(1, "python3", "-c", hungry))
    usage = json.loads(master.completed[1].parts["usage"])
    assert usage["wall"] > 0
    assert usage["user"] + usage["system"] > 0.02
    assert 150e6 < usage["memory"] < 1e9


def test_of_stderr_the_end_is_brought(master: Master, client: Started) -> None:
    run_one(master, client, task(1, "python3", "-c", "import sys; sys.stderr.write('x' * 300_000 + 'the end')"))
    stderr = master.completed[1].parts["stderr"]
    assert len(stderr) == 65536
    assert stderr.endswith(b"the end")


def test_a_missing_result_file_is_a_failure_that_names_it(master: Master, client: Started) -> None:
    run_one(master, client, task(1, *SH, "echo o; echo e >&2", results={"r": "out.txt"}))
    request = master.failed[1]
    assert request.reason == "result file out.txt was not written"
    assert (request.parts["stdout"], request.parts["stderr"], request.parts["exit-code"]) == (b"o\n", b"e\n", b"0")


@pytest.mark.parametrize("make", ["mkdir r", "mkfifo r"])
def test_a_result_that_is_no_file_is_a_failure(master: Master, client: Started, make: str) -> None:
    run_one(master, client, task(1, *SH, make, results={"r": "r"}))
    assert master.failed[1].reason == "result file r is not a regular file"


@pytest.mark.parametrize(
    ("script", "reason", "code"),
    [
        ("echo why >&2; exit 3", "exit code 3", b"3"),
        ("kill -9 $$", "killed by signal 9 (SIGKILL)", b"-9"),
        ("kill -SEGV $$", "killed by signal 11 (SIGSEGV)", b"-11"),
    ],
)
def test_how_a_program_failed_is_said(master: Master, client: Started, script: str, reason: str, code: bytes) -> None:
    run_one(master, client, task(1, *SH, script))
    assert master.failed[1].method == "POST"
    assert (master.failed[1].reason, master.failed[1].parts["exit-code"]) == (reason, code)


@pytest.mark.parametrize("shell", [f"/bin/{name}" for name in ("sh", "bash", "zsh", "fish", "tcsh", "ksh")])
def test_a_program_that_only_a_login_shell_finds_is_told_so(master: Master, client: Started, shell: str) -> None:
    need_program(shell, shell.rpartition("/")[2])
    home, tool = client.folder / "home", client.folder / "opt" / "simulate"
    (home / ".config/fish").mkdir(parents=True)
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    for name in (".profile", ".zprofile"):
        (home / name).write_text(f"echo Welcome\nPATH=$PATH:{tool.parent}\n")
    (home / ".config/fish/config.fish").write_text(f"if status is-login\nset -x PATH $PATH {tool.parent}\nend\n")
    (home / ".login").write_text(f"setenv PATH ${{PATH}}:{tool.parent}\n")
    env = "#!/usr/bin/env simulate\n"
    master.add(task(1, "simulate", "-x"), task(2, "sh", "-c", "simulate -x"), task(3, "bash", "-c", "simulate"),
               task(4, "./nor-this"), task(5, "sh", "-c", "./simulate"), task(6, "sh", "-c", "exit 127"),
               task(7, "sh", "-c", "chmod +x a; ./a", inputs={"a": env.encode()}))  # fmt: skip
    assert client.run(HOME=str(home), SHELL=shell)[0] == 0
    advice = f'; a login shell there finds {tool}: setup: "true" in spe.yaml gives tasks its environment'
    assert master.failed[1].reason == f"program 'simulate' not found on host h{advice}"
    for ticket in (2, 3, 7):
        assert master.failed[ticket].reason == f"exit code 127{advice}"
    assert master.failed[4].reason == "program './nor-this' not found on host h"
    for ticket in (5, 6):
        assert master.failed[ticket].reason == "exit code 127"


def test_a_login_shell_that_hangs_holds_nobody_up_for_long(master: Master, client: Started) -> None:
    home = client.folder / "home"
    home.mkdir()
    (home / ".profile").write_text("sleep 1000\n")
    master.add(task(1, "no-such-program"), task(2, "no-such-program"))
    assert client.run(HOME=str(home))[0] == 0
    assert master.failed[2].reason == "program 'no-such-program' not found on host h"


def test_a_program_that_is_not_there_is_named_with_the_host(master: Master, client: Started) -> None:
    master.add(task(1, "no-such-program"), task(2, "./nor-this"), task(3, ""))
    assert client.run()[0] == 0
    assert master.failed[1].reason == "program 'no-such-program' not found on host h"
    assert master.failed[2].reason == "program './nor-this' not found on host h"
    assert "not found" in master.failed[3].reason or "not executable" in master.failed[3].reason


def test_a_program_that_cannot_be_run_is_told_from_one_that_is_not_there(master: Master, client: Started) -> None:
    master.add(
        task(1, "./data", inputs={"data": b"#!/bin/sh\n"}),
        task(2, *SH, "printf '#!/no/such/shell\\n' > s; chmod +x s; exec ./s"),
        task(3, "./odd", inputs={"odd": b""}),
    )
    master.worker("tool", b"#!/no/such/interpreter\n", "linux-" + os.uname().machine)
    master.add(task(4, "./tool"))
    assert client.run()[0] == 0
    assert master.failed[1].reason.startswith("program './data' is not executable on host h")
    assert "exit code 12" in master.failed[2].reason
    assert "not executable" in master.failed[3].reason
    assert "interpreter" in master.failed[4].reason


def test_an_empty_command_line_is_a_failure(master: Master, client: Started) -> None:
    run_one(master, client, task(1))
    assert master.failed[1].reason == "the command line is empty"


def test_the_environment_says_which_task_it_is_and_never_the_session(master: Master, client: Started) -> None:
    master.config["Cores"] = "2"
    master.add(task(17, "env", "-0", extra="Task=5\nEnv='MY_VAR=two words\nand a line'\nEnv=SHORT=1\n"))
    assert client.run("--slots", "2", SPE_SESSION=SESSION, MKL_NUM_THREADS="9")[0] == 0
    text = master.completed[17].parts["stdout"].decode()
    variables = dict(entry.split("=", 1) for entry in text.split("\0") if entry)
    assert (variables["SPE_TASK"], variables["SPE_TICKET"], variables["SPE_SLOT"]) == ("5", "17", "1")
    assert (variables["MY_VAR"], variables["SHORT"]) == ("two words\nand a line", "1")
    assert (variables["OMP_NUM_THREADS"], variables["MKL_NUM_THREADS"]) == ("2", "9")
    assert "SPE_SESSION" not in variables
    assert SESSION not in text


def test_as_many_tasks_run_at_once_as_there_are_slots(master: Master, client: Started) -> None:
    master.config["Cores"] = "2"
    master.over = False
    master.add(*(task(n, "sleep", "60") for n in range(1, 6)))
    client.start("--slots", "4")
    master.wait_for(lambda: len(list(client.base().glob("*/stdout"))) == 2)
    assert len(master.tasks) == 3


def test_setup_runs_once_in_the_login_shell_and_its_environment_goes_to_the_tasks(
    master: Master, client: Started
) -> None:
    master.config["Setup"] = json.dumps(
        f"echo noise\nexport FROM_SETUP='a\nb'; echo x >> {client.folder}/ran # comment"
    )
    master.add(*(task(n, *SH, 'printf "%s" "$FROM_SETUP"') for n in (1, 2)))
    code, said = client.run()
    assert code == 0, said
    assert master.completed[1].parts["stdout"] == master.completed[2].parts["stdout"] == b"a\nb"
    assert (client.folder / "ran").read_text() == "x\n"


def test_a_setup_that_fails_ends_the_client_and_says_why(master: Master, client: Started) -> None:
    master.config["Setup"] = json.dumps("echo no such module >&2; false")
    master.add(task(1, "true"))
    code, said = client.run()
    assert code == 8
    assert "setup failed (exit code 1): no such module" in said
    assert master.of("/bye")
    assert not client.workdir.exists()


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "ksh", "csh", "tcsh", "fish"])
@pytest.mark.parametrize(("last", "code"), [('sh -c "exit 7"', 7), ("no-such-command", 127), ("true", 0)])
def test_a_setup_ends_with_the_code_of_its_last_command_in_every_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, last: str, code: int
) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed here")
    monkeypatch.setenv("SHELL", path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    if not code:
        assert "spe_code" not in setup.environment(last, str(tmp_path))
        return
    if shell in ("csh", "tcsh") and code == 127:
        code = 1  # these say "Command not found" with it
    with pytest.raises(exits.Ending, match=rf"setup failed \(exit code {code}\): "):
        setup.environment(last, str(tmp_path))


def test_nice_is_honoured(master: Master, client: Started) -> None:
    master.config["Nice"] = "7"
    run_one(master, client, task(1, "nice"))
    assert master.completed[1].parts["stdout"] == str(min(19, os.nice(0) + 7)).encode() + b"\n"


def test_a_shared_input_is_fetched_once_and_each_task_has_its_own_copy(master: Master, client: Started) -> None:
    mesh = os.urandom(200_000)
    master.files[hashlib.sha256(mesh).hexdigest()] = mesh
    master.add(*(task(n, *SH, "sha256sum < mesh; echo x > mesh", shared={"mesh": mesh}) for n in range(1, 5)))
    assert client.run("--slots", "1")[0] == 0
    assert {one.parts["stdout"].split()[0].decode() for one in master.completed.values()} == {*master.files}
    assert (len(master.completed), len(master.of("/file"))) == (4, 1)
    assert master.of("/task")[0].query["files"] == ["sha256"]


def test_a_shared_input_that_cannot_be_had_fails_the_task(master: Master, client: Started) -> None:
    run_one(master, client, task(1, "true", shared={"mesh": b"gone"}))
    assert "an input file cannot be had" in master.failed[1].reason


def test_what_an_old_program_leaves_open_is_not_inherited(master: Master, client: Started) -> None:
    run_one(master, client, task(1, "ls", "/proc/self/fd"))
    assert master.completed[1].parts["stdout"].split() == [b"0", b"1", b"2", b"3"]  # 3 is ls's own


def test_a_task_works_in_the_folder_of_session_and_ticket(master: Master, client: Started) -> None:
    run_one(master, client, task(9, "pwd"))
    folder = Path(master.completed[9].parts["stdout"].decode().strip())
    assert folder.parent.name == "9"
    assert folder.parent.parent.name.startswith("spe-") and folder.parent.parent.name.endswith("-h")
    assert SESSION not in str(folder)


def test_a_program_leads_a_session_and_a_group_of_its_own(master: Master, client: Started) -> None:
    run_one(master, client, task(1, "python3", "-c", "import os; print(os.getpid() == os.getsid(0) == os.getpgid(0))"))
    assert master.completed[1].parts["stdout"] == b"True\n"


def test_no_two_tasks_have_the_same_slot_at_a_time(master: Master, client: Started, tmp_path: Path) -> None:
    master.add(*(task(n, *SH, f"cd {tmp_path}; mkdir $SPE_SLOT && sleep 0.03 && rmdir $SPE_SLOT && echo $SPE_SLOT")
               for n in range(1, 31)))  # fmt: skip
    assert client.run("--slots", "3")[0] == 0
    assert not master.failed
    assert {one.parts["stdout"] for one in master.completed.values()} == {b"1\n", b"2\n", b"3\n"}


def test_a_full_disk_is_said_as_such(master: Master, client: Started, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    need_root()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", small], check=True)
    try:
        client.workdir = small
        mesh = b"x" * 400_000
        master.files[hashlib.sha256(mesh).hexdigest()] = mesh
        master.over = False
        master.add(task(1, "true", inputs={"big": mesh}), task(2, "true", shared={"m": mesh}))
        client.start("--slots", "1")
        master.wait_for(lambda: {1, 2} <= set(master.failed))
        master.wait_for(lambda: os.statvfs(small).f_bfree > 10)  # what was half written is cleared away
        master.add(task(3, "echo", "on"))
        master.wait_for(lambda: 3 in master.completed)
        master.finish()
        assert client.end()[0] == 0
        assert "'big'" in master.failed[1].reason and "No space left on device" in master.failed[1].reason
        assert "No space left on device" in master.failed[2].reason
        assert master.completed[3].parts["stdout"] == b"on\n"
    finally:
        subprocess.run(["umount", small], check=True)
