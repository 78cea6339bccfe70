"""`spe run --lines`: what the programs print, through real pipes, in a shell's own words."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from waiting import wait_until

from .kit import Bench, hears_ctrl_c

LARGE = 10_000_000  # bytes that a set prints where it prints much


@dataclass
class Piped:
    """A line of a shell that has ended."""

    code: int
    out: bytes
    err: str


def spe_in_shell(bench: Bench, line: str, given: bytes = b"") -> Piped:
    """Run a shell's line in which `spe` is spe."""
    line = f'spe() {{ {sys.executable} -m spe "$@"; }}\n{line}'
    done = subprocess.run(
        ["bash", "-c", line], cwd=bench.folder, env=bench.environment, input=given, capture_output=True, timeout=120,
        preexec_fn=hears_ctrl_c,
    )  # fmt: skip
    err = done.stderr.decode("utf-8", "replace")
    assert "Traceback" not in err and "BrokenPipe" not in err, err
    wait_until(lambda: not bench.processes(), "no process is left", 20)
    return Piped(done.returncode, done.stdout, err)


# -- order


def test_each_set_is_printed_as_soon_as_it_has_finished(bench: Bench) -> None:
    """Set 1 waits until set 2 has been read at the other end of the pipe."""
    line = (
        "spe run -q -l -j 2 -p x=1,2 -- sh -c 'test {{ x }} = 2 || until test -e \"$GATE\"; do sleep 0.02; done; "
        "echo {{ x }}' | while read -r one; do echo $one; touch \"$GATE\"; done"
    )
    done = spe_in_shell(bench, line)
    assert (done.out, done.err) == (b"2\n1\n", "")


def test_in_order_a_set_waits_for_those_before_it_and_no_longer(bench: Bench) -> None:
    """Set 3 can only end after set 1 was read, though set 2 ends last."""
    worker = (
        'case $1 in 1) until grep -qs 2 "$LOG"; do sleep 0.02; done;;\n2) echo 2 >> "$LOG";;\n'
        '3) until test -e "$GATE"; do sleep 0.02; done;; esac\necho "$1"'
    )
    bench.worker(worker)
    line = "spe run -q -lk -j 3 -p x=1:3 -- ./work '{{ x }}' | while read -r one; do echo $one; touch \"$GATE\"; done"
    assert spe_in_shell(bench, line).out == b"1\n2\n3\n"


def test_finished_sets_of_earlier_runs_come_first_and_run_no_more(bench: Bench) -> None:
    bench.worker('echo "$1" | tee -a "$LOG"')
    assert spe_in_shell(bench, "spe run -q -l -p x=3,4 -- ./work '{{ x }}' | sort").out == b"3\n4\n"
    done = spe_in_shell(bench, "spe run -q -l -p x=1:4 -- ./work '{{ x }}'")
    first, last = done.out.split()[:2], done.out.split()[2:]
    assert (first, sorted(last)) == ([b"3", b"4"], [b"1", b"2"])
    done = spe_in_shell(bench, "spe run -q -lk -p x=1:4 -- ./work '{{ x }}'")
    assert done.out == b"1\n2\n3\n4\n"
    assert sorted(bench.logged()) == ["1", "2", "3", "4"]


# -- stdout and stderr


def test_stdout_has_the_programs_bytes_and_nothing_else(bench: Bench) -> None:
    bench.python("import os, sys\nos.write(1, bytes.fromhex(sys.argv[1]))\n")
    texts = [b"\xff\x00\xfe", b"", b"two\r\nlines\n", b"\n", b"no end", b"\x1b[1m", b"last"]
    values = ",".join(text.hex() or "''" for text in texts)
    done = spe_in_shell(bench, f"spe run -lk -p x={values.replace(chr(39) * 2, chr(34) * 2)} -- ./work '{{{{ x }}}}'")
    # A newline comes only where a set would begin in the middle of another one's line.
    assert done.out == b"\xff\x00\xfe\ntwo\r\nlines\n\nno end\n\x1b[1m\nlast"
    assert "7 of 7 sets done" in done.err and "results.csv" in done.err, done


def test_stderr_of_the_programs_goes_to_stderr_and_the_summary_only_without_q(bench: Bench) -> None:
    line = "spe run {} -lk -p x=1:3 -- sh -c 'echo out; echo err{{{{ x }}}} >&2'"
    done = spe_in_shell(bench, line.format("-q"))
    assert (done.code, done.out, done.err) == (0, b"out\n" * 3, "err1\nerr2\nerr3\n")
    assert "3 of 3 sets done" in spe_in_shell(bench, line.format("")).err


def test_a_failed_set_prints_what_it_wrote_in_its_last_attempt(bench: Bench) -> None:
    bench.worker('echo "$1" >> "$LOG"; echo "$1 try $(grep -c "^$1" "$LOG")"; test "$1" != 2')
    done = spe_in_shell(bench, "spe run -q -lk -j 1 --attempts 2 -p x=1:3 -- ./work '{{ x }}'")
    assert (done.code, done.out) == (1, b"1 try 1\n2 try 2\n3 try 1\n"), done
    assert "task 2 (x=2) failed: exit code 1" in done.err


@pytest.mark.parametrize(
    "words", ["--result n=n.txt", "--result 'n=stdout:int'", "--result 'n={from: stdout, regex: a(.)}' "]
)
def test_all_of_stdout_is_printed_whatever_the_results_are(bench: Bench, words: str) -> None:
    bench.worker('echo 1 > n.txt; case $2 in *int*) echo 7;; *) printf "a7\\nmore\\n";; esac')
    text = b"7\n" if "int" in words else b"a7\nmore\n"
    line = f"spe run -q -lk {words} -p x=1:2 -- ./work '{{{{ x }}}}' \"{words.replace(chr(39), '')}\""
    line = line.replace("{from: stdout, regex: a(.)}\"", "regex\"")
    for _ in range(2):  # as it ends, and from the store
        done = spe_in_shell(bench, line)
        assert (done.code, done.out) == (0, text * 2), done


def test_each_line_is_tagged_with_the_values_on_both_outputs(bench: Bench) -> None:
    line = (
        "spe run -q -lk --tag -p x=1,2 -p y=a,'b c' -- sh -c "
        "'printf \"one\\n\\ntwo{{ x }}\"; echo oh >&2; test {{ x }} != 2'"
    )
    done = spe_in_shell(bench, line.replace("'b c'", "'\"b c\"'"))
    expected = [f"{x} {y}\t{text}" for x in "12" for y in ("a", "b c") for text in ("one", "", f"two{x}")]
    assert done.out.decode() == "\n".join(expected)
    tagged = [line for line in done.err.splitlines() if "\t" in line]
    assert tagged == [f"{x} {y}\toh" for x in "12" for y in ("a", "b c")]


def test_lines_to_start_a_client_by_hand_are_not_on_stdout(bench: Bench) -> None:
    run = bench.start("run", "-l", "--hosts", "none", "-p", "x=1", "--", "echo", "{{ x }}")
    wait_until(lambda: bench.query("SELECT 1 FROM tasks", "echo"), "the plan is read")
    bench.ok("stop", "-n", "echo")
    done = run.end()
    assert done.out == "", done
    assert "--session" in done.err or "curl" in done.err or "python3" in done.err, done


# -- large outputs, and those that were cut


def peak_of(bench: Bench, words: str) -> tuple[Piped, int]:
    """Run spe with its output counted; return also the largest memory of the master, in bytes."""
    text = (
        "import os, resource, subprocess, sys\n"
        "code = subprocess.call([sys.executable, '-m', 'spe', *sys.argv[1:]])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\nsys.exit(code)\n"
    )
    path = bench.write("peak.py", text)
    done = spe_in_shell(bench, f"set -o pipefail; {sys.executable} {path} {words} | wc -c")
    return done, 1024 * int(done.err.split()[-1])


def test_ten_megabytes_of_a_set_come_whole_and_are_not_held_several_times(bench: Bench) -> None:
    bench.worker(f"yes $1 | head -c {LARGE}; echo small > n.txt")
    words = "run -q -lk --tag -j 1 --result n.txt -p x=1:{} -- ./work '{{{{ x }}}}'"
    small, usual = peak_of(bench, "run -q -lk -p x=1 -- echo '{{ x }}'")
    assert small.out.split() == [b"2"]
    for _ in range(2):
        done, peak = peak_of(bench, words.format(3))
        assert (done.code, int(done.out)) == (0, 3 * 2 * LARGE), done.err  # a tag of two bytes for two bytes
        assert peak < usual + 3 * LARGE, (peak, usual)


def test_an_output_that_was_cut_earlier_is_named_and_the_exit_code_is_1(bench: Bench) -> None:
    bench.worker('test "$1" = 1 || yes $1 | head -c 100000; echo "$1" > n.txt')
    words = "--result n.txt -p x=1:3 -- ./work '{{ x }}'"
    assert spe_in_shell(bench, f"spe run -q {words}").code == 0
    done = spe_in_shell(bench, f"spe run -q -lk {words}")
    assert done.code == 1 and len(done.out) < 200_000
    (line,) = done.err.splitlines()
    assert "sets 2 and 3" in line and "spe run --lines --fresh" in line
    done = spe_in_shell(bench, f"spe run -q -lk --fresh {words}")
    assert (done.code, len(done.out), done.err) == (0, 200_000, "")


def test_an_output_whose_file_was_removed_is_named(bench: Bench) -> None:
    bench.worker('yes $1 | head -c 3000000; echo "$1" > n.txt')
    words = "run -q -lk --result n.txt -p x=1:2 -- ./work '{{ x }}'"
    assert len(spe_in_shell(bench, f"spe {words}").out) == 6_000_000
    files = [*bench.runs("work").glob("files/2/.kept/stdout")]
    assert files
    files[0].unlink()
    done = spe_in_shell(bench, f"spe {words}")
    # Beside the results: the run itself may find that the file is gone and run the set again.
    assert (done.code == 1 and "set 2" in done.err) or len(done.out) == 6_000_000, done.err


# -- pipes


def test_the_run_goes_on_when_the_reader_of_its_lines_has_gone_and_says_so_once(bench: Bench) -> None:
    bench.worker('yes "$1" | head -n 100000; echo "$1" >> "$LOG"')
    line = "set -o pipefail; spe run -q -lk -j 1 -p x=1:4 -- ./work '{{ x }}' | head -n 3"
    done = spe_in_shell(bench, line)
    assert (done.code, done.out) == (0, b"1\n1\n1\n"), done
    (said,) = done.err.splitlines()
    assert said.startswith("warning: nobody reads standard output any more; the run goes on"), said
    assert sorted(bench.logged()) == ["1", "2", "3", "4"]


def test_a_reader_that_is_killed_ends_nothing_and_one_that_reads_slowly_holds_no_client_up(bench: Bench) -> None:
    bench.worker(f'yes "$1" | head -c {LARGE}; echo "$1" >> "$LOG"')
    out, into = os.pipe()
    run = subprocess.Popen(
        [sys.executable, "-m", "spe", "run", "-q", "-l", "-j", "1", "-p", "x=1:3", "--", "./work", "{{ x }}"],
        cwd=bench.folder, env=bench.environment, stdin=subprocess.DEVNULL, stdout=into, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(into)
    reader = subprocess.Popen(["sh", "-c", "head -c 10 > /dev/null; exec sleep 600"], stdin=out)
    os.close(out)
    wait_until(lambda: len(bench.logged()) == 3, "all sets ran, though nobody reads on", 60)
    assert run.poll() is None
    os.kill(reader.pid, signal.SIGKILL)
    reader.wait()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert err.count(b"nobody reads standard output") == 1 and b"Traceback" not in err, err


def test_ctrl_c_ends_a_run_whose_reader_stands_still(bench: Bench) -> None:
    bench.worker(f'yes "$1" | head -c {LARGE}; echo "$1" >> "$LOG"')
    out, into = os.pipe()
    run = subprocess.Popen(
        [sys.executable, "-m", "spe", "run", "-q", "-l", "-p", "x=1", "--", "./work", "{{ x }}"],
        cwd=bench.folder, env=bench.environment, stdin=subprocess.DEVNULL, stdout=into, stderr=subprocess.PIPE,
        preexec_fn=hears_ctrl_c,
    )  # fmt: skip
    os.close(into)
    wait_until(lambda: (bench.runs("work") / "results.csv").exists(), "the run has made its tables", 60)
    for _ in range(10):
        run.send_signal(signal.SIGINT)  # the first ones may come while the run still ends
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(3)
            break
    err = run.stderr.read() if run.stderr else b""
    os.close(out)
    assert run.returncode in (1, 130) and b"Traceback" not in err, err
    assert b"not all was printed" in err, err


def test_lines_on_a_full_disk_are_told_and_the_run_goes_on(bench: Bench) -> None:
    done = spe_in_shell(bench, "spe run -q -l -p x=1:3 -- echo '{{ x }}' > /dev/full")
    (line,) = done.err.splitlines()
    assert done.code == 1 and "No space left" in line and "results.csv" in line
    assert bench.column("stdout", "echo") == ["1", "2", "3"]


def test_no_live_picture_is_drawn_into_the_lines_on_a_terminal(bench: Bench) -> None:
    line = f"{sys.executable} -m spe run -lk -p x=1:3 -- echo 'line {{{{ x }}}}'"
    done = subprocess.run(
        ["script", "-qec", line, "/dev/null"], cwd=bench.folder, env={**bench.environment, "TERM": "xterm"},
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.count(b"line ") == 3 and b"\x1b" not in done.stdout, done.stdout


def test_sets_that_another_terminal_puts_back_are_printed_again_or_told(bench: Bench) -> None:
    """Set 1 fails, is printed, and is put back while set 2 runs."""
    worker = 'echo "$1"; case $1 in 1) test -e "$LOG";; *) until test -e "$GATE"; do sleep 0.02; done;; esac'
    for words, out in (("-l", b"1\n1\n2\n"), ("-lk", b"1\n2\n")):
        bench.worker(f"{worker} # {words}")
        out_, into = os.pipe()
        run = subprocess.Popen(
            [sys.executable, "-m", "spe", "run", "-q", words, "-j", "2", "--fresh", "--attempts", "1", "-p", "x=1,2",
             "--", "./work", "{{ x }}"],
            cwd=bench.folder, env=bench.environment, stdin=subprocess.DEVNULL, stdout=into, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(into)
        found = os.read(out_, 2)
        bench.log.touch()
        assert bench.start("retry", "1", "-n", "work").end().code == 0
        done = "SELECT 1 FROM tasks WHERE number = 1 AND state = 'done'"
        wait_until(lambda: bench.query(done, "work"), "set 1 is done")  # noqa: B023
        bench.open_gate()
        with os.fdopen(out_, "rb") as rest:
            found += rest.read()
        _, err = run.communicate(timeout=60)
        (bench.root / "gate").unlink()
        bench.log.unlink()
        assert found == out, err
        assert run.returncode == (0 if words == "-l" else 1), err
        assert (b"set 1 ran again after being printed" in err) == (words == "-lk"), err


def test_lines_feed_the_next_command_and_come_from_the_one_before(bench: Bench) -> None:
    done = spe_in_shell(bench, "seq 4 | spe run -q -lk -p x=@- -- sh -c 'expr {{ x }} \\* 2' | paste -sd+")
    assert (done.code, done.out) == (0, b"2+4+6+8\n")


# -- wrong words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-k"], "-lk"),
        (["--tag"], "-l --tag"),
        (["--tag", "--rows", "csv"], "--tag"),
        (["-l", "--rows", "csv"], "exclude each other"),
        (["-l", "--json"], "--json"),
        (["--rows", "csv", "--json"], "--json"),
        (["-l", "--detach"], "--detach"),
        (["--rows", "xml"], "wanted json, csv"),
    ],
)
def test_options_that_do_not_go_together_are_refused_with_the_right_form(
    bench: Bench, words: list[str], said: str
) -> None:
    assert said in bench.refused("run", *words, "-p", "x=1", "--", "echo", "{{ x }}")
    assert not (bench.folder / "runs").exists()


# -- any sets, outputs, failures and interruptions

PROGRAM = """
import os, signal, sys, time
name = sys.argv[1]
with open(os.path.join(os.environ["TEXTS"], name), "rb") as file:
    code, wait, text = file.read().split(b" ", 2)
time.sleep(float(wait))
if code == b"stop" and not os.path.exists(os.environ["GATE"]):
    open(os.environ["GATE"], "w").close()
    os.kill(int(open(os.environ["LOG"]).read()), signal.SIGINT)
sys.stdout.buffer.write(text)
sys.exit(3 if code == b"3" else 0)
"""


def joined(texts: Sequence[bytes]) -> bytes:
    """Return outputs as they follow each other: each begins on a line of its own."""
    found = b""
    for text in filter(None, texts):
        found += b"\n" * (found[-1:] not in (b"", b"\n")) + text
    return found


def printed(bench: Bench, texts: Path, *words: str) -> tuple[int, bytes]:
    """Run spe, which its programs know by the number in the log."""
    command = ["sh", "-c", 'echo $$ > "$LOG"; exec "$@"', "sh", sys.executable, "-m", "spe", *words]
    environment = {**bench.environment, "TEXTS": str(texts)}
    done = subprocess.run(
        command, cwd=bench.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        preexec_fn=hears_ctrl_c,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("seed", range(4))
def test_whatever_sets_print_it_comes_whole_in_order_and_again_after_an_interruption(bench: Bench, seed: int) -> None:
    draw = random.Random(f"lines {seed} {os.environ.get('SPE_WEEKS_SEED', '')}")
    count = draw.randint(3, 25)
    texts: list[bytes] = []
    codes: list[str] = []
    (bench.root / "texts").mkdir()
    stops = draw.randrange(count)
    for number in range(count):
        size = draw.choice([0, 1, 20, 20, 300, 70_000, 300_000])
        body = bytes(draw.choice(b"ab\n\xff\x00\r") for _ in range(min(size, 300))) * (1 + size // 300)
        code = "stop" if number == stops else draw.choice(["0", "0", "0", "3"])
        # Of failed sets the end is kept: see the guide.
        text = b"%d:" % number + (body if code != "3" else body[:60_000])
        texts.append(text if size else b"")
        codes.append(code)
        content = f"{code} {draw.choice([0, 0, 0.05, 0.2])} ".encode() + texts[-1]
        (bench.root / "texts" / str(number)).write_bytes(content)
    bench.python(PROGRAM)
    words = [
        "-q", "-j", str(draw.randint(1, 4)), "--attempts", "1", "--env", "TEXTS", "--env", "GATE", "--env", "LOG",
        *draw.choice([[], ["--result", "n={from: stdout, regex: '(^)'}"], ["--validate", "exit_zero"]]),
        "-p", f"x=0:{count - 1}", "--", "./work", "{{ x }}",
    ]  # fmt: skip
    failed = "3" in codes
    code, out = printed(bench, bench.root / "texts", "run", "-lk", *words)
    kept = [row[0] for row in bench.query("SELECT number FROM tasks WHERE state IN ('done', 'failed')", "work")]
    # A second Ctrl-C would end even what runs: one lets the others finish.
    assert code == 130 or len(kept) == count
    assert out == joined([texts[number - 1] for number in sorted(kept)])
    code, out = printed(bench, bench.root / "texts", "run", "-lk", *words)
    assert code == failed
    assert out == joined(texts)
    # Without an order: each set once, whole, on a line of its own.
    code, out = printed(bench, bench.root / "texts", "run", "-l", "--fresh", *words)
    rest = out + b"\n" * (not out.endswith(b"\n"))
    for text in sorted(filter(None, texts), key=len, reverse=True):
        whole = text if text.endswith(b"\n") else text + b"\n"
        assert re.search(b"(?:^|(?<=\n))" + re.escape(whole), rest), (text[:20], len(rest))
        rest = rest.replace(whole, b"", 1)
    assert rest.strip(b"\n") == b""
