"""Inputs of each kind, from spe.yaml to the program, on this machine."""

from __future__ import annotations

import os

from .kit import Bench

LOOK = """
cat deck.inp note_$1.txt; ./tools/post.sh; ls data | wc -l; ls -d data/hollow; cat tables/*.csv
echo "$1" >> state.db; tail -c 2 state.db; stat -c %a tools/post.sh
"""


def test_a_list_and_a_mapping_bring_files_folders_globs_templates_and_copies(bench: Bench) -> None:
    for number in range(25):
        bench.write(f"data/{number}.txt", f"{number}\n")
    (bench.folder / "data/hollow").mkdir()
    bench.write("tools/post.sh", "#!/bin/sh\necho posted\n", 0o755)
    bench.write("tables/a.csv", "1,2\n")
    bench.write("deck.tpl", "x = << x >>\nkeep {{ this }}\n")
    bench.write("state.db", os.urandom(1 << 21))
    bench.write("look.sh", LOOK)
    bench.write(
        "spe.yaml",
        """
command: sh look.sh {{ x }}
parameters: {grid: {x: [1, 2, 3]}}
inputs:
  look.sh: {file: look.sh}
  data: {folder: data}
  tools/post.sh: {file: tools/post.sh}
  tables: {folder: tables}
  deck.inp: {template: deck.tpl, marks: "<< >>"}
  "note_{{ x }}.txt": "note {{ x }}\\n"
  state.db: {file: state.db, copy: true}
hosts: [localhost slots=2]
""",
    )
    bench.ok("run")
    for row in bench.rows():
        number = row["x"]
        assert row["stdout"].split("\n") == [
            f"x = {number}", "keep {{ this }}", f"note {number}", "posted", "26", "data/hollow", "1,2", number, "755"
        ]  # fmt: skip
    text = (bench.folder / "spe.yaml").read_text()
    listed = "[look.sh, data/, tools/post.sh, 'tables/*.csv', {file: state.db, copy: true}]"
    start, end = text.index("inputs:"), text.index("hosts:")
    lines = LOOK.replace("cat deck.inp note_$1.txt; ", "")
    bench.write("look.sh", lines)
    bench.write("spe.yaml", f"{text[:start]}inputs: {listed}\n{text[end:]}")
    bench.ok("run", "--fresh")
    assert [row["stdout"].split("\n")[0] for row in bench.rows()] == ["posted"] * 3


def test_files_of_a_folder_that_change_between_two_runs_make_other_sets(bench: Bench) -> None:
    for number in range(25):
        bench.write(f"data/{number}.txt", f"{number}\n")
    bench.write("spe.yaml", "command: cat data/3.txt\ninputs: [data/]\n")
    bench.ok("run")
    assert bench.column("stdout") == ["3"]
    bench.write("data/3.txt", "three\n")
    bench.ok("run")
    assert bench.column("stdout") == ["three"]
    bench.write("data/3.txt", "3\n")
    said = bench.ok("run")
    assert bench.column("stdout") == ["3"] and "0 to do" in said.err
