"""`spe run --rows`: the table, row by row as sets finish."""

from __future__ import annotations

import csv
import io
import json

from .kit import Bench
from .test_lines import spe_in_shell

LINE = "spe run {} --attempts 1 --result n=n.txt:int -p x=1:3 -p 'y=a,\"b, c\"' -- ./work '{{{{ x }}}}'"


def test_rows_as_json_are_those_of_spe_results_one_object_a_line(bench: Bench) -> None:
    bench.worker('echo "noise"; echo "1$1" > n.txt; test "$1" != 2')
    for _ in range(2):  # as they finish, and from the store
        done = spe_in_shell(bench, LINE.format("-q -k --rows json"))
        assert done.code == 1, done
        rows = [json.loads(line) for line in done.out.splitlines()]
        assert rows == bench.ok("results", "--json").json
        assert [row["n"] for row in rows] == ["11", "11", "13", "13"]


def test_rows_as_csv_have_one_head_and_are_a_table(bench: Bench) -> None:
    bench.worker('echo "1$1" > n.txt')
    done = spe_in_shell(bench, LINE.format("--rows csv"))
    table = (bench.runs("work") / "results.csv").read_bytes()
    assert sorted(done.out.splitlines()) == sorted(table.splitlines())
    assert done.out.splitlines()[0] == b"number,x,y,n,host,seconds,attempts"
    assert "6 of 6 sets done" in done.err
    assert len([*csv.DictReader(io.StringIO(done.out.decode()))]) == 6


def test_a_table_without_rows_has_its_head(bench: Bench) -> None:
    done = spe_in_shell(bench, "spe run -q --attempts 1 --rows csv -p x=1:2 -- false '{{ x }}'")
    assert (done.code, done.out) == (1, b"number,x,stdout,host,seconds,attempts\n")


def test_a_row_comes_as_soon_as_its_set_has_finished(bench: Bench) -> None:
    line = (
        "spe run -q --rows csv -j 2 -p x=1,2 -- "
        "sh -c 'test {{ x }} = 2 || until test -e \"$GATE\"; do sleep 0.02; done' "
        '| while IFS=, read -r number x rest; do echo $x; test $x = 2 && touch "$GATE"; done'
    )
    assert spe_in_shell(bench, line).out == b"x\n2\n1\n"


def test_the_summary_is_the_last_line_with_json(bench: Bench) -> None:
    done = spe_in_shell(bench, "spe run -q --rows json --json -p x=1:2 -- echo '{{ x }}'")
    *rows, last = map(json.loads, done.out.splitlines())
    assert sorted(row["stdout"] for row in rows) == ["1", "2"]
    assert (last["done"], last["exit_code"]) == (2, 0)
