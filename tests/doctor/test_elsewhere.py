"""What is in /opt, in the home, in a module or in the PATH of a login shell: doctor says how to get it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost
from spe.errors import Fault

from .kit import HOME, spe

pytestmark = pytest.mark.lab
LAB_HOSTS = 4
TOOLS = "cat chmod date dd df dirname getconf grep head id ls mkdir mv nproc printf rm sed sh sleep tail timeout tr"
MODULE = """
PATH=$HOME/bin
module() {{
    case $1 in
        -t) echo /modules:; echo gcc/12; echo 'python/3.11(default)' ;;
        load) [ "$2" = python/3.11 ] && {{ PATH=$PATH:{place}; {more} }} ;;
    esac
}}
"""


def without_python(host: LabHost) -> None:
    """Only these programs are in its PATH, and a Python in none of the usual folders."""
    host.boot(Boot(path=f"{HOME}/bin", shell="/bin/bash"))
    host.shell(f"/bin/mkdir -p bin; for w in {TOOLS} uname; do /bin/ln -s $(command -v $w) bin/$w; done")


def put_python(host: LabHost, folder: str, text: str = 'exec /usr/bin/python3 "$@"') -> None:
    host.shell(f"/bin/mkdir -p {folder}; printf '%s\\n' '#!/bin/sh' '{text}' >{folder}/python3; "
               f"chmod 755 {folder}/python3")  # fmt: skip


def test_a_python_elsewhere_is_offered_by_the_line_that_makes_the_host_work(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    for host in hosts:
        without_python(host)
    hosts[0]._dirty = True
    hosts[0].root("sh", "-c", "mount -t tmpfs none /opt; mkdir -p /opt/python/3.11/bin; "
                  "ln -s /usr/bin/python3 /opt/python/3.11/bin/python3")  # fmt: skip
    put_python(hosts[1], "apps/python")
    hosts[1].shell(f"echo 'PATH={HOME}/bin:{HOME}/apps/python' >.bash_profile")
    put_python(hosts[2], "modules")
    hosts[2].shell(f"cat >.bash_profile <<'X'\n{MODULE.format(place=f'{HOME}/modules', more='')}\nX\n")
    put_python(hosts[3], "modules", '[ -n "$NEEDED" ] && exec /usr/bin/python3 "$@"; exit 127')
    hosts[3].shell(f"cat >.bash_profile <<'X'\n{MODULE.format(place=f'{HOME}/modules', more='export NEEDED=1;')}\nX\n")
    found = spe("doctor", "-F", str(lab.ssh_config), "--hosts", "h01,h02,h03,h04", "--json", cwd=tmp_path)
    lines = {}
    for name, host in found.hosts.items():
        [finding] = [one for one in host["findings"] if one["stops"]]
        assert finding["fault"] == Fault.NO_PYTHON
        lines[name] = finding["todo"]
    assert "h01 python=/opt/python/3.11/bin/python3" in lines["h01"]
    assert f"h02 python={HOME}/apps/python/python3" in lines["h02"]
    assert f"h03 python={HOME}/modules/python3" in lines["h03"]
    assert "module load python/3.11" in lines["h04"]
    assert "h04 python=~/spe-python" in lines["h04"]
    command = lines["h04"].partition("ssh h04 ")[2].partition(" and name")[0]
    hosts[3].shell(f"sh -c {command}")
    (tmp_path / "hosts.txt").write_text("".join(
        f"{line.partition('hosts file: ')[2]}\n" for line in lines.values()))  # fmt: skip
    print((tmp_path / "hosts.txt").read_text())
    again = spe("doctor", "-F", str(lab.ssh_config), "--hosts", f"{tmp_path}/hosts.txt", "--json", cwd=tmp_path)
    assert [name for name, host in again.hosts.items() if not host["works"]] == []


def test_a_program_that_only_a_login_shell_finds_is_told_by_doctor_and_check(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    hosts[0].boot(Boot(shell="/bin/bash"))
    hosts[0].shell("mkdir -p tool; printf '#!/bin/sh\\necho 1\\n' >tool/simulate; chmod 755 tool/simulate; "
                   f"echo 'PATH=$PATH:{HOME}/tool' >.profile")  # fmt: skip
    text = "command: simulate\nname: d\nparameters: {repeat: 3}\nhosts: hosts.txt\nattempts: 1\n"
    (tmp_path / "spe.yaml").write_text(text)
    (tmp_path / "hosts.txt").write_text("h01\n")
    words = ("-F", str(lab.ssh_config))
    [finding] = [one for one in spe("doctor", *words, "--json", cwd=tmp_path).hosts["h01"]["findings"] if one["stops"]]
    assert finding["fault"] == Fault.NO_PROGRAM
    assert f"a login shell there finds {HOME}/tool/simulate" in finding["what"]
    assert 'setup: "true"' in finding["todo"]
    done = spe("check", *words, cwd=tmp_path)
    assert done.code == 1
    assert f"program 'simulate' not found on host h01; a login shell there finds {HOME}/tool/simulate" in done.out
    (tmp_path / "spe.yaml").write_text(text + 'setup: "true"\n')
    assert spe("check", *words, cwd=tmp_path).code == 0
    assert spe("doctor", *words, cwd=tmp_path).code == 0
