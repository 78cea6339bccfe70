"""The recipes of docs/environment.md (shared libraries) and docs/hooks.md (values) do what the pages say."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.kit import Bench
from needs import need_program

DOCS = Path(__file__).resolve().parents[2] / "docs"
SETS = "parameters: {grid: {x: [1, 2]}}\nattempts: 1\n"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def blocks(page: str, begin: str, end: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    section = text[text.index(begin) : text.index(end)]
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", section)


def sources(bench: Bench) -> None:
    """The source of a program `sim` and of a library libmat.so, with the library built here."""
    need_program("cc", "gcc")
    bench.write("lib.c", "int answer(int x) { return 40 + x; }\n")
    bench.write(
        "main.c",
        "#include <stdio.h>\n#include <stdlib.h>\nint answer(int x);\n"
        'int main(int n, char **words) { printf("%d\\n", answer(atoi(words[1]))); return 0; }\n',
    )
    made = "cc -shared -fPIC -Wl,-soname,libmat.so -o libmat.so lib.c"
    subprocess.run(made, shell=True, check=True, cwd=bench.folder)


def run(bench: Bench, text: str) -> list[str]:
    bench.write("spe.yaml", text + SETS)
    bench.ok("run")
    return bench.column("stdout")


LIBRARIES = ("environment.md", "## Shared libraries", "## Containers")


def test_a_program_that_is_linked_with_its_own_folder_finds_a_library_beside_it(bench: Bench) -> None:
    sources(bench)
    (link,) = blocks(*LIBRARIES, "sh")
    subprocess.run(["sh", "-c", link], check=True, cwd=bench.folder)
    assert run(bench, blocks(*LIBRARIES, "yaml")[0]) == ["41", "42"]


def test_a_program_finds_a_library_in_the_folder_that_a_variable_names(bench: Bench) -> None:
    sources(bench)
    subprocess.run("cc -o sim main.c libmat.so; mkdir lib; mv libmat.so lib", shell=True, check=True, cwd=bench.folder)
    text = blocks(*LIBRARIES, "yaml")[1]
    assert run(bench, text) == ["41", "42"]
    page = (DOCS / "environment.md").read_text(encoding="utf-8")
    (setup,) = re.findall(r"`(setup: export [^`]+)`", page.replace("\n", " "))
    assert run(bench, re.sub("env: .*", lambda found: setup, text)) == ["41", "42"]
    bench.write("spe.yaml", text.replace("lib}\n", "$PWD/lib}\n", 2).replace("folder: $PWD/lib", "folder: lib") + SETS)
    done = bench.spe("run")
    assert done.code == 1 and "$PWD is not filled in" in done.err


VALUES = ("hooks.md", "**Recipes.**", "**Size**.")


def test_numbers_with_a_decimal_comma_are_read_through_points(bench: Bench) -> None:
    bench.worker('echo "F = 1,5$1"; [ $1 != 3 ]', "sim")
    bench.write("spe.yaml", blocks(*VALUES, "yaml")[1] + SETS.replace("[1, 2]", "[1, 2, 3]"))
    assert bench.spe("run").code == 1
    assert bench.column("force") == ["1.51", "1.52"], "the exit code of a program that fails counts"


def test_cells_of_the_last_line_of_a_csv_file_are_values(bench: Bench) -> None:
    bench.worker('for i in 1 2 3; do echo "$i;0.$i;9.$1$i"; done > table.csv', "sim")
    bench.write("spe.yaml", blocks(*VALUES, "yaml")[2] + SETS)
    bench.ok("run")
    assert (bench.column("second"), bench.column("last")) == (["0.3", "0.3"], ["9.13", "9.23"])
