"""What the ssh configuration means: spe sees what `ssh -G` says, with an ssh program and without one.

Nothing is connected to here; test_ssh_arrives.py follows the same kinds of lines to real hosts.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from needs import need_program, need_root
from spe.errors import Fault, LaunchError
from spe.launch import Offer, Options, launcher
from spe.launch.ssh.config import warn_once
from spe.launch.ssh.config.lookup import SshConfig, ssh_config
from spe.launch.ssh.config.target import Target
from spe.launch.ssh.dial import silence_limit_ms
from spe.model import Host
from waiting import wait_until

ME = getpass.getuser()
HOME = os.path.expanduser("~")


@dataclass
class Case:
    """Lines of a configuration, and the host that is asked for."""

    name: str
    text: str
    host: Host = Host("a")  # noqa: RUF009  # a record is never changed
    without: bool = True  # also where no ssh can be asked


def hosts(name: str, **words: object) -> Host:
    return Host(name, **words)  # type: ignore[arg-type]


CASES = [
    Case("nothing", ""),
    Case("hostname", "Host a\n  HostName b.example\n  Port 2200\n  User u"),
    Case("the first value wins", "Host a\n  Port 1\nHost *\n  Port 2\n  User u\nUser v"),
    Case("lines before any Host", "Port 99\nHost b\n  Port 1"),
    Case("patterns", "Host b* ?\n  Port 5\nHost *.example\n  Port 6"),
    Case("negated pattern", "Host * !a\n  Port 5\nHost !a *\n  User u"),
    Case("a bracket is a letter", "Host [ab]\n  Port 5"),
    Case("equals signs and quotes", 'Host = "a"\n\tHostName="b.example"\n  Port = 2200\n USER  u'),
    Case("comments", "Host a # mine\n  # Port 1\n  Port 3 # three\n  User u"),
    Case("carriage returns", "Host a\r\n  HostName b.example\r\n  Port 7\r\n"),
    Case("hostname with a token", "Host a\n  HostName %h.example.org"),
    Case("user of the hosts file", "User u\nHost a\n  Port 3", hosts("a", user="w", port=44)),
    Case("match user of the hosts file",
         "Match user w\n  HostName b\nMatch user u\n  HostName c", hosts("a", user="w")),
    Case("match user of a line before", "Host a\n  User u\nMatch user u\n  Port 9"),
    Case("match user nobody set", f"Match user {ME}\n  Port 9"),
    Case("match host is the hostname",
         "Host a\n  HostName b.example\nMatch host b.example\n  Port 9\nMatch host a\n  User u"),
    Case("match originalhost",
         "Host a\n  HostName b.example\nMatch originalhost a\n  Port 9\nMatch originalhost b*\n  User u"),
    Case("match localuser", f"Match localuser {ME}\n  Port 9\nMatch localuser x\n  User u"),
    Case("match list", "Match host x,y,a\n  Port 9\nMatch host *,!a\n  User u"),
    Case("match not", "Match !host a\n  Port 9\nMatch !host b\n  User u"),
    Case("match two", "Match host a user x\n  Port 9\nMatch host a !user x\n  User u"),
    Case("match all", "Match all\n  Port 9"),
    Case("match final all", "Host a\n  Port 9\nMatch final all\n  Port 10\n  User u"),
    Case("match final",
         "Host a\n  HostName b.example\nMatch final host b.example\n  Port 10\nMatch final host a\n  User u"),
    Case("match final, Host of the hostname", "Host a\n  HostName b\nHost b\n  Port 10\nMatch final user x\n  User u"),
    Case("match not final", "Match !final host a\n  Port 10"),
    Case("match canonical", "Match canonical all\n  Port 10\nMatch canonical\n  User u"),
    Case("match canonical in a final reading", "Match canonical all\n  Port 10\nMatch final all\n  User u"),
    Case("match canonical of a canonical name", "CanonicalizeHostname yes\nMatch canonical all\n  Port 10"),
    Case("match exec", 'Match exec "true"\n  Port 9\nMatch exec "false"\n  User u\nMatch exec true host b\n  User v'),
    Case("match exec with tokens",
         'Host a\n  HostName b\n  Port 9\nMatch exec "test %h-%n-%p-%r = b-a-9-u"\n  User no\n'
         f'Match exec "test %h-%n-%p-%u-%% = b-a-9-{ME}-%%"\n  User yes'),
    Case("match exec not run after a miss", 'Match host b exec "touch /nonexistent/x; true"\n  Port 9'),
    Case("canonical keeps the hostname",
         "CanonicalizeHostname yes\nCanonicalDomains x.invalid\nHost a\n  HostName 192.0.2.7"),
    Case("canonical, hostname with a domain",
         "CanonicalizeHostname yes\nCanonicalDomains x.invalid\nHost a\n  HostName b.c.d\n"
         "Host b.c.d\n  Port 8"),
    Case("canonical, no domain", "CanonicalizeHostname yes\nHost a\n  Port 8"),
    Case("canonical always, behind a jump",
         "CanonicalizeHostname always\nCanonicalDomains x.invalid\nHost a\n  ProxyJump j"),
    Case("canonical, behind a jump", "CanonicalizeHostname yes\nMatch canonical\n  User u\nHost a\n  ProxyJump j"),
    Case("canonical, behind no command",
         "CanonicalizeHostname yes\nMatch canonical\n  User u\nHost a\n  ProxyCommand none"),
    Case("canonical no", "CanonicalizeHostname no\nMatch canonical\n  User u\nHost a\n  Port 3"),
    Case("canonical none, said twice",
         "Host a\n  CanonicalizeHostname always\nCanonicalizeHostname no\nMatch canonical\n  User u"),
    Case("match exec with quotes",
         "Match host a exec \"test '%n' = a\"\n  Port 9\nMatch exec \"test %p = 9\"\n  User u"),
    Case("quotes in a word", "Host a\n  HostName \"b.\"exa'mpl'e\n  IdentityFile {dir}/\"a k\"ey"),
    Case("match with equals", "Match host=a\n  Port 9"),
    Case("user with a backslash and an at", "Host a\n  User DOM\\me@x"),
    Case("values of several words", "Host a\n  Port 5 # five\n  SendEnv LANG LC_*\n  SetEnv A=b"),
    Case("single quotes", "Host a\n  HostName 'b.example'\n  IdentityFile '{dir}/a key'"),
    Case("a keyword that is not ours",
         "IgnoreUnknown UseKeychain\nUseKeychain yes\nHost a\n  Port 6\n  UseKeychain no"),
    Case("tabs before and in the line", "\tHost\t a\n\t\tPort\t7"),
    Case("hash without a space", "Host a\n  HostName b#c\n  IdentityFile {dir}/k#1"),
    Case("canonical of a number", "CanonicalizeHostname yes\nHost 192.0.2.9\n  Port 3", hosts("192.0.2.9")),
    Case("include", "Include {dir}/one.conf\nHost a\n  Port 5"),
    Case("include in a block", "Host a\n  Include {dir}/two.conf\n  Port 5\nHost *\n  User last"),
    Case("include in a block of another host", "Host b\n  Include {dir}/one.conf {dir}/two.conf\nHost *\n  User last"),
    Case("include in a match", "Match final all\n  Include {dir}/two.conf"),
    Case("include several", 'Include {dir}/t*.conf "{dir}/one.conf" {dir}/absent.conf'),
    Case("include of a file that includes", "Include {dir}/three.conf\nPort 6"),
    Case("jump", "Host a\n  ProxyJump j"),
    Case("jumps", "Host a\n  ProxyJump x@j1:23,[::1]:24,ssh://y@j3:25"),
    Case("jump none", "Host a\n  ProxyJump none\nHost *\n  ProxyJump j"),
    Case("jump before command", "Host a\n  ProxyJump j\n  ProxyCommand nc %h %p"),
    Case("command before jump", "Host a\n  ProxyCommand nc %h %p\n  ProxyJump j"),
    Case("command none", "Host a\n  ProxyCommand none\nHost *\n  ProxyCommand nc %h %p"),
    Case("command with quotes", "Host a\n  ProxyCommand sh -c \"nc '%h' %p\" # %r %n %%"),
    Case("keys",
         'IdentityFile ~/k1\nHost a\n  IdentityFile "{dir}/a key"\n  IdentityFile %d/%h-%n-%r-%u-%p\n'
         "IdentityFile ~/k1"),
    Case("key none", "Host a\n  IdentityFile none\n  IdentitiesOnly yes\n  IdentityAgent none"),
    Case("agent",
         "Host a\n  IdentityAgent {dir}/agent-%h\n  CertificateFile ~/x-cert.pub\n  CertificateFile {dir}/y-%h"),
    Case("agent of the environment", "Host a\n  IdentityAgent $SPE_TEST_AGENT"),
    Case("agent of the environment, braces",
         "Host a\n  IdentityAgent ${{SPE_TEST_AGENT}}.x\n  IdentityFile ${{SPE_TEST_AGENT}}-k"),
    Case("known hosts", 'UserKnownHostsFile {dir}/k1 {dir}/k2\nGlobalKnownHostsFile "{dir}/a space"'),
    Case("known hosts none", "UserKnownHostsFile none\nGlobalKnownHostsFile none"),
    Case("known hosts with tokens", "Host a\n  HostName b\n  HostKeyAlias C\n  UserKnownHostsFile ~/kh-%h-%n-%k"),
    Case("host key checking", "Host a\n  StrictHostKeyChecking accept-new\n  HashKnownHosts yes"),
    Case("host key checking off", "Host a\n  StrictHostKeyChecking off"),
    Case("host key checking no", "Host a\n  StrictHostKeyChecking no"),
    Case("host key checking yes", "Host a\n  StrictHostKeyChecking yes\n  HostKeyAlias b"),
    Case("waiting", "Host a\n  ConnectTimeout 7\n  ServerAliveInterval 60\n  ServerAliveCountMax 5"),
    Case("addresses", "Host a\n  AddressFamily inet6\n  BindAddress 192.0.2.1"),
    Case("an address of IPv6", "Host fd00::1\n  Port 5", hosts("fd00::1")),
]  # fmt: skip


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a configuration, beside the files that some of them include."""
    need_program("ssh", "openssh-client")
    monkeypatch.setenv("SPE_TEST_AGENT", "/nowhere/agent")
    (tmp_path / "one.conf").write_text("User one\nHost b\n  Port 77\nHost a\n  HostName one.example\n")
    (tmp_path / "two.conf").write_text("User two\nHost c\n  Port 78\n")
    (tmp_path / "three.conf").write_text(f"Host a\n  Include {tmp_path}/one.conf\nHost *\n  User three\n")

    def write(text: str) -> Path:
        path = tmp_path / "config"
        path.write_bytes(text.encode())
        return path

    return write


@pytest.fixture
def no_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Takes ssh out of PATH, and nothing else."""

    def take() -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        for place in ("/usr/bin", "/bin"):
            for program in Path(place).iterdir():
                if not program.name.startswith("ssh") and not (folder / program.name).exists():
                    (folder / program.name).symlink_to(program)
        monkeypatch.setenv("PATH", str(folder))

    return take


def ssh_says(path: Path, host: Host) -> dict[str, list[str]]:
    words = ["ssh", "-G", "-F", str(path)]
    words += ["-l", host.user] if host.user else []
    words += ["-p", str(host.port)] if host.port else []
    done = subprocess.run([*words, host.name], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


def opened(text: str, target: Target) -> str:
    """A path of ssh -G with the tokens that it leaves: they are those of the target itself."""
    pairs = {"%d": HOME, "%h": target.hostname, "%n": target.alias, "%r": target.user, "%u": ME, "%p": str(target.port),
             "${SPE_TEST_AGENT}": "/nowhere/agent", "%%": "%"}  # fmt: skip
    for token, value in pairs.items():
        text = text.replace(token, value)
    return os.path.expanduser(text)


def bare(jumps: str) -> str:
    """ProxyJump without what its writer may leave out."""
    return "" if jumps == "none" else jumps.replace("ssh://", "").replace("[", "").replace("]", "")


def compared(target: Target, said: dict[str, list[str]]) -> None:
    """Each setting of the target is the one that ssh -G printed."""

    def one(key: str, default: str = "none") -> str:
        return said.get(key, [default])[0]

    assert target.hostname == one("hostname")
    assert target.port == int(one("port"))
    assert target.user == one("user")
    if target.keys_named:
        keys = [opened(name, target) for name in said["identityfile"] if name != "none"]
        assert [str(key) for key in target.keys] == keys
    else:
        assert one("identityfile") == "~/.ssh/id_rsa"
    assert [str(name) for name in target.certificates] == [opened(n, target) for n in said.get("certificatefile", [])]
    assert target.identities_only == (one("identitiesonly") == "yes")
    agent = {"none": None, "SSH_AUTH_SOCK": os.environ.get("SSH_AUTH_SOCK") or None}
    agent["$SPE_TEST_AGENT"] = "/nowhere/agent"
    told = one("identityagent", "SSH_AUTH_SOCK")
    assert target.agent == agent.get(told, told)
    proxy = said.get("proxycommand", [None])[0]
    assert target.proxy_command == (opened(proxy, target) if proxy else None)
    assert bare(",".join(target.jumps)) == bare(one("proxyjump"))
    for key, files in (("userknownhostsfile", target.known_hosts), ("globalknownhostsfile", target.system_known_hosts)):
        assert " ".join(map(str, files)) == one(key).removeprefix("none")
    assert (target.key_alias or "none").lower() == one("hostkeyalias")
    assert target.accept_new == (one("stricthostkeychecking") in ("accept-new", "false"))
    assert target.hash_names == (one("hashknownhosts") == "yes")
    assert str(target.timeout or "none") == one("connecttimeout")
    assert str(target.alive_interval or 0) == one("serveraliveinterval")
    assert str(target.alive_count) == one("serveralivecountmax")
    assert target.family == one("addressfamily")
    assert (target.bind or "none") == one("bindaddress")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_spe_sees_what_ssh_says(case: Case, made: Callable[[str], Path], tmp_path: Path) -> None:
    path = made(case.text.format(dir=tmp_path))
    compared(SshConfig(path).target(case.host), ssh_says(path, case.host))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_spe_sees_the_same_without_an_ssh_program(
    case: Case, made: Callable[[str], Path], tmp_path: Path, no_ssh: Callable[[], None]
) -> None:
    path = made(case.text.format(dir=tmp_path))
    said = ssh_says(path, case.host)
    no_ssh()
    compared(SshConfig(path).target(case.host), said)


# -- what ssh does not accept ------------------------------------------------------------------------------


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the user is told."""
    monkeypatch.setattr(warn_once, "_told", set())
    logger = logging.getLogger("spe.launch")
    logger.addHandler(caplog.handler)
    monkeypatch.setattr(logger, "propagate", False)
    return lambda: [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


REFUSED = {
    "unknown criterion": ("Match moonphase full\n  Port 66\n  User luna", "moonphase"),
    "unknown criterion behind a known one": ("Match host a moonphase full\n  Port 66", "moonphase"),
    "unknown criterion behind a miss": ("Match host x moonphase full\n  Port 66", "moonphase"),
    "unknown criterion, negated": ("Match !moonphase full\n  Port 66", "moonphase"),
    "criterion beside all": ("Match all user right\n  Port 66", "all"),
    "criterion without a value": ("Match host\n  Port 66", "match"),
    "match without a criterion": ("Match\n  Port 66", "line 1"),
    "unknown option": ("Host b\n  HostNmae 192.0.2.1", "hostnmae"),
    "bad value": ("Host b\n  Port sixtysix", "line 2"),
    "host without a pattern": ("Host\n  Port 66", "line 1"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("way", ["with ssh", "without ssh"])
def test_what_is_not_understood_is_left_out_and_told_once(
    name: str, way: str, made: Callable[[str], Path], no_ssh: Callable[[], None], warnings: Callable[[], list[str]]
) -> None:
    text, word = REFUSED[name]
    path = made(f"{text}\nHost a c\n  HostName a.example\n  User right\n")
    if way == "without ssh":
        no_ssh()
    for asked in ("a", "c", "a"):
        target = SshConfig(path).target(Host(asked))
        assert (target.hostname, target.port, target.user) == ("a.example", 22, "right")
    told = [line for line in warnings() if word in line.lower()]
    if way == "with ssh":
        [first] = [line for line in told if line.startswith("ssh refuses its configuration")]
        assert str(path) in first
    if "criterion" in name:
        [left_out] = [line for line in warnings() if "left out" in line and line.startswith(str(path))]
        assert f"{path}:1" in left_out
    assert len(set(warnings())) == len(warnings())


def test_the_user_sees_the_sentence_of_ssh_once_for_all_hosts(made: Callable[[str], Path], tmp_path: Path) -> None:
    path = made("HostNmae b\nHost *\n  HostName 127.0.0.1\n  Port 1\n")
    words = [sys.executable, "-m", "spe", "doctor", "-F", str(path), "--hosts", "one,two,three"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("ssh refuses its configuration") == 1
    assert "hostnmae" in done.stderr
    assert "one, two and three: refused" in done.stdout


def test_a_file_that_includes_itself_ends(made: Callable[[str], Path], warnings: Callable[[], list[str]]) -> None:
    path = made("User one\n")
    path.write_text(f"Include {path}\nUser one\n")
    assert SshConfig(path).target(Host("a")).user == "one"
    assert "recursive" in warnings()[0]


@pytest.mark.parametrize("way", ["with ssh", "without ssh"])
def test_a_name_that_cannot_be_made_canonical_is_the_fault_of_its_host(
    way: str, made: Callable[[str], Path], no_ssh: Callable[[], None]
) -> None:
    text = "Host a\n  CanonicalizeHostname yes\n  CanonicalDomains x.invalid\n  CanonicalizeFallbackLocal no\n"
    config = SshConfig(made(text))
    if way == "without ssh":
        no_ssh()
    with pytest.raises(LaunchError) as caught:
        config.target(Host("a"))
    assert caught.value.fault is Fault.NAME
    assert "resolve" in caught.value.what
    assert config.target(Host("b")).hostname == "b"


def test_a_program_called_ssh_that_knows_no_question_is_done_without(
    made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: Callable[[], list[str]]
) -> None:
    path = made("Host a\n  Port 77\n")
    (tmp_path / "ssh").write_text("#!/bin/sh\necho unknown option -- G >&2\nexit 1\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert SshConfig(path).target(Host("a")).port == 77
    assert "unknown option -- G" in warnings()[0]


def test_no_file_at_all_can_be_given(made: Callable[[str], Path]) -> None:
    assert SshConfig(Path(os.devnull)).target(Host("a", user="u")).user == "u"


# -- the home of the password file -------------------------------------------------------------------------

LOOK = """
import json, subprocess, sys, logging
logging.basicConfig(format="%(message)s")
from spe.launch.ssh.config.lookup import ssh_config
from spe.model import Host
target = ssh_config(None).target(Host("a"))
print(json.dumps([target.hostname, [str(k) for k in target.keys], [str(k) for k in target.known_hosts]]))
"""


@pytest.mark.parametrize("mode", [0o600, 0o666])
@pytest.mark.parametrize("path", ["", "/nowhere"])
def test_without_a_file_the_home_of_the_password_file_counts_as_for_ssh(tmp_path: Path, path: str, mode: int) -> None:
    need_root()
    need_program("ssh", "openssh-client")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text("Host a\n  HostName right.example\n  IdentityFile ~/k\n")
    (home / ".ssh" / "config").chmod(mode)
    other = tmp_path / "other" / ".ssh"
    other.mkdir(parents=True)
    (other / "config").write_text("Host a\n  HostName wrong.example\n")
    passwd = Path("/etc/passwd").read_text().replace(f"root:{HOME}:", f"root:{home}:")
    (tmp_path / "passwd").write_text(passwd)
    inner = f'mount --bind {tmp_path}/passwd /etc/passwd && exec "$0" -c "$1"'
    if path:
        inner = inner.replace("exec", f"exec env PATH={path}").replace("exec env", "exec /usr/bin/env")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inner, sys.executable, LOOK],
        env={**os.environ, "HOME": str(other.parent)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    keys = f'["{home}/k"]'
    known = f'["{home}/.ssh/known_hosts", "{home}/.ssh/known_hosts2"]'
    assert done.stdout.strip() == f'["right.example", {keys}, {known}]'
    refused = mode != stat.S_IRUSR | stat.S_IWUSR and not path
    assert ("Bad owner or permissions" in done.stderr) == refused, done.stderr


# -- how it is asked ---------------------------------------------------------------------------------------


def test_each_question_is_asked_once_and_all_at_the_same_time(
    made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made("Host h*\n  ProxyJump gate\n")
    log = tmp_path / "asked"
    (tmp_path / "ssh").write_text(f'#!/bin/sh\necho "$@" >>{log}\nexec {need_program("ssh", "openssh-client")} "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def look(number: int) -> str:
        config = ssh_config(path)
        target = config.target(Host(f"h{number}"))
        [jump] = config.jumps(target)
        return jump.hostname

    with ThreadPoolExecutor(40) as pool:
        assert set(pool.map(look, range(40))) == {"gate"}
    asked = log.read_text().splitlines()
    assert len(asked) == 42  # forty hosts, their jump host, and what ssh says without any file
    assert len(set(asked)) == 42
    path.write_text("Host h*\n  ProxyJump gate2\n")
    assert ssh_config(path).target(Host("h1")).jumps == ("gate2",)  # a changed file is read at once


@pytest.mark.parametrize("way", ["with ssh", "without ssh"])
def test_a_command_of_match_exec_that_hangs_is_cut_off_and_its_place_is_told(
    way: str, made: Callable[[str], Path], tmp_path: Path, no_ssh: Callable[[], None]
) -> None:
    seconds = f"9{os.getpid()}.25"
    (tmp_path / "more.conf").write_text(f'Match host a exec "sleep {seconds}; true"\n  Port 5\n')
    path = made(f"Include {tmp_path}/more.conf\n")
    if way == "without ssh":
        no_ssh()
    with pytest.raises(LaunchError) as caught:
        SshConfig(path).target(Host("a"), 1.0)
    assert caught.value.fault is Fault.TIMEOUT
    assert f"{tmp_path}/more.conf:1" in caught.value.what
    assert "Match exec" in caught.value.what
    assert caught.value.todo == f"Try: ssh -G -F {path} a"
    processes = Path("/proc").glob
    wait_until(lambda: not any(seconds.encode() in said_by(pid) for pid in processes("[0-9]*")), "it has ended")
    assert SshConfig(path).target(Host("b")).port == 22


def said_by(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_command_of_match_exec_may_leave_something_running(made: Callable[[str], Path]) -> None:
    path = made('Match exec "sleep 12 & true"\n  Port 5\n')
    assert SshConfig(path).target(Host("a"), 10.0).port == 5


def test_the_event_loop_goes_on_while_ssh_is_asked(made: Callable[[str], Path], tmp_path: Path) -> None:
    gate, reached = tmp_path / "gate", tmp_path / "reached"
    wait = f"touch {reached}; while ! test -e {gate}; do sleep 0.02; done"
    path = made(f'Match exec "{wait}"\n  HostName 127.0.0.1\n  Port 1\n')

    async def story() -> None:
        offer = Offer(1, None, False, "", "", bytes)
        up = launcher(Host("a"), offer, Options(tmp_path, path, connect_limit=60.0))
        start = asyncio.create_task(up.start())
        while not reached.exists():
            await asyncio.sleep(0.02)
        gate.touch()
        with pytest.raises(LaunchError) as caught:
            await start
        assert caught.value.fault is Fault.REFUSED
        await up.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [("", 45), ("ServerAliveInterval 5\n", 15), ("ServerAliveInterval 300\n", 45), ("BatchMode yes\n", 45),
     ("ServerAliveInterval 2\nServerAliveCountMax 4\n", 8)],
)  # fmt: skip
def test_a_lost_host_is_noticed_no_later_than_without_a_configuration(
    made: Callable[[str], Path], lines: str, seconds: int
) -> None:
    # Debian's ssh sets ServerAliveInterval to 300 where BatchMode is set.
    assert silence_limit_ms(SshConfig(made(lines)).target(Host("a"))) == seconds * 1000
