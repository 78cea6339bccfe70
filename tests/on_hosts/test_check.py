"""`spe check` on several hosts: the first set runs once on each kind of host, and who cannot work is named."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from doctor.kit import HOME, Outcome, spe
from lab import Boot, Lab, LabHost
from lab.together import WAITS, ended_together

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LAB_HOSTS = 6
SHARED = Boot(shared_home=True)
OTHER_PYTHON = Boot(shared_home=True, path=f"{HOME}/bin:/usr/bin:/bin")
DOWN = Boot(no_sshd=True)
SPE_YAML = """
name: c
command: ./work {{ x }}
worker: work
parameters: {grid: {x: [7, 8]}}
results: {y: stdout}
"""


class Project:
    """A sweep and its hosts, booted as told."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, self.lab = folder, lab
        (folder / "spe.yaml").write_text(SPE_YAML)
        self.program("echo y$1")

    def program(self, text: str) -> None:
        (self.folder / "work").write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / "work").chmod(0o755)

    def boot(self, hows: Sequence[Boot]) -> None:
        hosts = self.lab.hosts[: len(hows)]
        for host, how in zip(hosts, hows, strict=True):
            host.power_on(how)
        for host, how in zip(hosts, hows, strict=True):
            if not how.no_sshd:
                host.wait_until_up()

    def check(self, hosts: str, *words: str) -> Outcome:
        done = spe("check", "-F", str(self.lab.ssh_config), "--hosts", hosts, *words, cwd=self.folder, limit=120)
        print(done.out, done.err, sep="\n")
        return done


@pytest.fixture
def project(tmp_path: Path, lab: Lab, hosts: list[LabHost]) -> Project:
    del hosts  # they are only to be plain and clean
    return Project(tmp_path, lab)


def ran_on(out: str) -> list[str]:
    return re.findall(r"set 1 ran on (\S+) in", out)


def test_one_set_runs_on_each_home_and_each_python_and_hosts_that_are_down_are_named_in_one_paragraph(
    project: Project, lab: Lab
) -> None:
    project.boot([SHARED, SHARED, Boot(), OTHER_PYTHON, DOWN, DOWN])
    lab["h04"].shell("mkdir -p bin; cp $(readlink -f /usr/bin/python3) bin/python3")
    done = project.check("h[01-06]")
    first, second, third = sorted(ran_on(done.out))
    assert first in ("h01", "h02") and (second, third) == ("h03", "h04")
    two = r"^h01 and h02 \(linux-\S+, /usr/bin/python3 3\.\S+, home shared with h04\): .*: y=y7$"
    assert re.search(two, done.out, re.M)
    assert f"{HOME}/bin/python3" in done.out
    assert re.search(r"^h05 and h06: refused: nothing listens on ", done.err, re.M)
    assert done.err.count("refused") == 1
    assert done.code == 1
    assert not (project.folder / "runs").exists()


def test_where_all_share_one_home_one_set_runs_and_with_all_hosts_one_on_each(project: Project) -> None:
    project.boot([SHARED, SHARED, SHARED])
    done = project.check("h[01-03]")
    assert len(ran_on(done.out)) == 1 and done.code == 0
    assert "h01, h02 and h03 (linux-" in done.out and ", one home): set 1 ran on" in done.out
    done = project.check("h[01-03]", "--all-hosts")
    assert ran_on(done.out) == ["h01", "h02", "h03"] and done.code == 0


def test_a_program_that_fails_on_some_hosts_is_told_once_with_its_last_lines_and_the_exit_code_is_1(
    project: Project, lab: Lab
) -> None:
    project.program('[ ! -e "$HOME/broken" ] || { echo "libx.so: not there" >&2; exit 3; }; echo y$1')
    for name in ("h02", "h03"):
        lab[name].shell("touch broken")
    done = project.check("h[01-03]")
    assert ran_on(done.out) == ["h01"]
    assert re.search(r"^h02 \(linux-.*\): set 1 failed on h02$", done.out, re.M)
    assert "\nset 1 failed on h02 and h03: exit code 3: libx.so: not there\nlibx.so: not there\n" in done.out
    assert done.out.count("set 1 failed on h02 and h03") == 1
    assert done.code == 1


def test_results_that_differ_between_kinds_are_named(project: Project, lab: Lab) -> None:
    project.program('echo "$(cat "$HOME/offset" 2>/dev/null)$1"')
    lab["h02"].shell("echo -n 1 >offset")
    done = project.check("h01,h02")
    assert ": y=7\n" in done.out and ": y=17\n" in done.out
    assert "not the same on all of them, although it is the same set: result y\n  y: 7 (h01); 17 (h02)\n" in done.out
    assert done.code == 0
    lab["h02"].shell("rm offset")
    assert "not the same" not in project.check("h01,h02").out


def test_a_set_that_is_lost_with_its_host_is_tried_again_and_hosts_of_other_kinds_get_no_second_one(
    project: Project, lab: Lab
) -> None:
    kill = "kill -9 $(pgrep -u $(id -u) -f -- '--master .*--detach'); sleep 60"
    project.program(f'echo x >>"$HOME/runs"; [ -e "$HOME/tried" ] || {{ touch "$HOME/tried"; {kill}; }}; echo y$1')
    lab["h02"].shell("touch tried")
    with (project.folder / "spe.yaml").open("a") as file:
        file.write("ping: 1\n")
    done = project.check("h01,h02")
    assert sorted(ran_on(done.out)) == ["h01", "h02"]
    assert lab["h01"].shell("cat runs").stdout.split() == ["x", "x"]
    assert lab["h02"].shell("cat runs").stdout.split() == ["x"]


def test_validate_hooks_see_the_parameters_of_the_user_alone(project: Project) -> None:
    hook = "def fine(task, result):\n    return dict(task.parameters) == {'x': '7'} or str(task.parameters)\n"
    (project.folder / "hooks.py").write_text(hook)
    with (project.folder / "spe.yaml").open("a") as file:
        file.write("validate: hooks.py:fine\n")
    done = project.check("h01,h02")
    assert ran_on(done.out) == ["h01", "h02"] and done.code == 0


def test_json_has_the_kinds_with_their_sets_and_the_faults_of_hosts(project: Project) -> None:
    project.boot([SHARED, SHARED, Boot(), DOWN])
    done = project.check("h[01-04]", "--json")
    assert done.code == 1
    shared, own, down = done.record["kinds"]
    assert shared["hosts"] == shared["shared_home"] == ["h01", "h02"] and shared["ran_on"] in ("h01", "h02")
    assert own["hosts"] == ["h03"] and own["shared_home"] == [] and own["done"]
    assert own["platform"].startswith("linux-") and "python3" in own["python"]
    assert own["set"]["results"] == {"y": "y7"} == done.record["set"]["results"]
    assert own["set"]["parameters"] == {"x": "7"}
    assert (down["hosts"], down["ran_on"], down["done"], down["set"]) == (["h04"], None, False, None)
    assert [(one["host"], one["fault"]) for one in done.record["faults"]] == [("h04", "refused")]


def test_where_no_host_comes_up_they_are_named_in_one_paragraph_and_the_exit_code_is_3(project: Project) -> None:
    project.boot([DOWN, DOWN])
    done = project.check("h01,h02")
    assert done.code == 3
    assert re.search(r"^h01 and h02: refused: ", done.err, re.M)
    assert "nothing could run" in done.err.splitlines()[-2]


def test_a_failing_validate_hook_names_set_1_alone_and_what_to_do_after_a_check(project: Project) -> None:
    hook = "def fine(task, result):\n    assert task.number == 1, task.number\n    return 1 / 0\n"
    (project.folder / "hooks.py").write_text(hook)
    with (project.folder / "spe.yaml").open("a") as file:
        file.write("validate: hooks.py:fine\n")
    done = project.check("h[01-03]")
    assert done.code == 1
    assert "\nset 1 failed on h01, h02 and h03: hooks.py:3: hooks.py:fine failed at task 1: ZeroDivision" in done.out
    assert "Mend it, then: spe check" in done.out and "spe collect" not in done.out
    assert not re.search(r"task [2-9]", done.out)


def test_the_program_sees_the_number_of_the_first_set_on_each_host(project: Project) -> None:
    project.program("echo y$SPE_TASK")
    done = project.check("h[01-03]")
    assert ran_on(done.out) == ["h01", "h02", "h03"] and done.code == 0
    assert done.out.count(": y=y1") == 3 and "not the same" not in done.out


def test_quiet_says_no_plan_and_the_outcome_all_the_same(project: Project) -> None:
    done = project.check("h01", "-q")
    assert done.code == 0
    assert done.out.startswith("set 1 ran on h01 in ")
    assert "2 sets of c" in project.check("h01", "-q", "--dry").out, "with --dry the plan is all there is"


def test_a_home_that_is_nearly_full_has_a_line_and_another_home_has_none(project: Project) -> None:
    project.boot([Boot(home_size="1m"), Boot()])
    (project.folder / "work").write_bytes(f"#!/bin/sh\n{WAITS}\necho y$1\n#".encode() + b"x" * 2_000_000)
    line = [sys.executable, "-m", "spe", "run", "-F", str(project.lab.ssh_config), "--hosts", "h01,h02 slots=1"]
    pipe = subprocess.PIPE

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(line, cwd=project.folder, text=True, stdout=pipe, stderr=pipe)

    said = ended_together(start, project.lab.hosts[:2])
    (line_of_h01,) = [line for line in said.splitlines() if "free" in line]
    assert re.match(r"h01: its home has only \d+ kB free\. What does not fit there", line_of_h01)
