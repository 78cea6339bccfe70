"""The same host name leads spe and a real ssh to the same host, account and key, whatever the configuration says.

With an ssh program that is asked, and without one. test_ssh_config.py compares what is understood.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import Boot, Lab
from spe.errors import Fault, LaunchError
from spe.launch import Options
from spe.launch.ssh.config import warn_once
from spe.launch.ssh.connect import connect
from spe.model import Host

pytestmark = pytest.mark.lab
LAB_HOSTS = 3
SSH = shutil.which("ssh") or "/usr/bin/ssh"
# Who and where, from which address, and by which key: sshd tells the last one in a file.
LOOK = 'hostname; id -un; echo "$SSH_CONNECTION" | cut -d" " -f1,4; cut -d" " -f1-3 "$SSH_USER_AUTH"'
SSHD = ("Port 22", "Port 2222", "ExposeAuthInfo yes", "TrustedUserCAKeys /mnt/ca.pub", "MaxAuthTries 3")


@dataclass
class Case:
    """A configuration, and the host that is gone to."""

    name: str
    text: str
    host: str = "a"
    user: str | None = None
    port: int | None = None
    without: bool = True  # also where no ssh can be asked
    tail: bool = True  # with lines at the end that give key and known_hosts


CASES = [
    Case("hostname", "Host a\n  HostName {h1}"),
    Case("port and user", "Host a\n  HostName {h2}\n  Port 2222\n  User root"),
    Case("user and port of the hosts file",
         "Host a\n  HostName {h1}\n  User nobody\n  Port 99", user="root", port=2222),
    Case("match user of the hosts file",
         "Match originalhost a user root\n  HostName {h2}\nHost a\n  HostName {h1}", user="root"),
    Case("match user of the configuration",
         "Host a\n  User root\nMatch user root\n  HostName {h2}\nHost *\n  HostName {h1}"),
    Case("match originalhost", "Host *\n  HostName {h1}\nMatch originalhost a\n  User root"),
    Case("match host is the hostname",
         "Host *\n  HostName {h1}\nMatch host {h1}\n  User root\nMatch host a\n  Port 99"),
    Case("match not host", "Match !host b\n  HostName {h3}\nHost *\n  HostName {h1}"),
    Case("match exec",
         'Match exec "test %n = a"\n  HostName {h2}\nMatch exec "false"\n  Port 99\nHost *\n  HostName {h1}'),
    Case("match all", "Match all\n  Port 2222\nHost a\n  HostName {h1}"),
    Case("match final all", "Host a\n  HostName {h1}\nMatch final all\n  Port 2222\n  User root"),
    Case("what the Red Hat family ships",
         "Host a\n  HostName {h1}\nMatch final all\n  Include {dir}/policy.config\n  ForwardX11Trusted yes"),
    Case("match final host",
         "Host a\n  HostName {h1}\nMatch final host {h1}\n  User root\nMatch final host a\n  Port 99"),
    Case("match canonical",
         "CanonicalizeHostname yes\nMatch canonical host {h2}\n  User root\nHost a\n  HostName {h2}"),
    Case("match localuser", "Match localuser nobody-here\n  Port 99\nMatch localuser *\n  HostName {h2}"),
    Case("match localnetwork", "Match localnetwork {net}0/24\n  HostName {h3}\nHost a\n  HostName {h1}", without=False),
    Case("match tagged", "Host a\n  Tag t\nMatch tagged t\n  HostName {h3}\nHost a\n  HostName {h1}"),
    Case("canonical with a hostname", "CanonicalizeHostname yes\nCanonicalDomains x.invalid\nHost a\n  HostName {h2}"),
    Case("canonical always, a jump",
         "CanonicalizeHostname always\nCanonicalDomains x.invalid\nHost a\n  HostName {h2}\n  ProxyJump j\nHost j\n"
         "  HostName {h1}"),
    Case("include", "Include {dir}/a.conf"),
    Case("include in a block", "Host b\n  Include {dir}/a.conf\nHost a\n  Include {dir}/u*.conf\n  HostName {h2}"),
    Case("patterns", "Host a* !ab*\n  HostName {h1}\nHost a?c\n  User root\n  HostName {h2}", host="axc"),
    Case("equals, quotes, case", 'host = "a"\n\thostname="{h2}"\n  PORT = 2222\n USER  root # not nobody'),
    Case("hostname with a token", "Host 1?\n  HostName {net}%h", host="12"),
    Case("jump", "Host a\n  HostName {h1}\n  ProxyJump j\nHost j\n  HostName {h2}\n  User root"),
    Case("jumps",
         "Host a\n  HostName {h1}\n  ProxyJump root@{h3}:2222,j\nHost j\n  HostName {h2}\n  ProxyJump nowhere"),
    Case("jump of a jump",
         "Host a\n  HostName {h1}\n  ProxyJump j\nHost j\n  HostName {h2}\n  ProxyJump ssh://root@{h3}:2222"),
    Case("jump with a user that the configuration matches",
         "Host a\n  HostName {h1}\n  ProxyJump root@j:2222\nMatch originalhost j user root\n  HostName {h2}\n"
         "Host j\n  Port 99"),
    Case("jump none", "Host a\n  HostName {h1}\n  ProxyJump none\nHost *\n  ProxyJump nowhere"),
    Case("jump with a token", "Host a\n  HostName {h1}\n  ProxyJump j-%n\nHost j-a\n  HostName {h2}"),
    Case("proxy command", "Host a\n  HostName {h1}\n  ProxyCommand {ssh} -F {base} -W %h:%p root@{h2}"),
    Case("proxy command with other tokens", "Host a\n  HostName {h1}\n  Port 2222\n  ProxyCommand sh -c \"exec "
         "{ssh} -F {base} -W '%h:%p' {h2}; # %n %r %%\""),
    Case("proxy command none", "Host a\n  HostName {h1}\n  ProxyCommand none\nHost *\n  ProxyCommand false"),
    Case("the first of two keys that is good",
         "Host a\n  HostName {h1}\n  IdentityFile {dir}/bad\n  IdentityFile {dir}/second"),
    Case("key with tokens", "Host a\n  HostName {h1}\n  User root\n  IdentityFile {dir}/of-%n-%r"),
    Case("key in a folder with a space", 'Host a\n  HostName {h1}\n  IdentityFile "{dir}/a space/key"'),
    Case("key of a variable", "Host a\n  HostName {h1}\n  IdentityFile ${{SPE_TEST_KEYS}}/second"),
    Case("certificate beside the key", "Host a\n  HostName {h1}\n  IdentityFile {dir}/certified"),
    Case("certificate file", "Host a\n  HostName {h1}\n  IdentityFile {dir}/second-certified\n"
         "  CertificateFile {dir}/other-cert.pub\n  CertificateFile {dir}/%n-cert.pub"),
    Case("an old certificate beside a good key", "Host a\n  HostName {h1}\n  IdentityFile {dir}/expired"),
    Case("accepted algorithms of keys",
         "Host a\n  HostName {h1}\n  IdentityFile {dir}/second\n  IdentityFile {dir}/ecdsa\n"
         "  PubkeyAcceptedAlgorithms -ssh-ed25519"),
    Case("agent of many keys, one named",
         "Host a\n  HostName {h1}\n  IdentityFile {dir}/second.pub\n  IdentitiesOnly no\n"
         "  IdentityAgent {dir}/agent", tail=False),
    Case("agent, only the named one", "Host a\n  HostName {h1}\n  IdentityFile {dir}/second.pub\n  IdentitiesOnly yes\n"
         "  IdentityAgent {dir}/agent", tail=False),
    Case("agent, the named one has a passphrase", "Host a\n  HostName {h1}\n  IdentityFile {dir}/locked\n"
         "  IdentityAgent {dir}/agent", tail=False),
    Case("agent with a certificate file", "Host a\n  HostName {h1}\n  IdentityFile {dir}/second-certified.pub\n"
         "  CertificateFile {dir}/a-cert.pub\n  IdentityAgent {dir}/agent", tail=False),
    Case("agent that holds a certificate", "Host a\n  HostName {h1}\n  IdentityAgent {dir}/agent2\n  IdentitiesOnly no",
         tail=False),
    Case("agent that holds the certificate of a named key",
         "Host a\n  HostName {h1}\n  IdentityAgent {dir}/agent2\n  IdentityFile {dir}/certified.pub\n"
         "  IdentitiesOnly no", tail=False),
    Case("key alias", "Host a\n  HostName {h1}\n  HostKeyAlias Other\n  UserKnownHostsFile {dir}/other"),
    Case("known hosts of two files", "Host a\n  HostName {h1}\n  UserKnownHostsFile {dir}/absent {known}"),
    Case("known hosts with tokens", "Host a\n  HostName {h1}\n  HostKeyAlias other\n  UserKnownHostsFile {dir}/%k"),
    Case("known hosts in a folder with a space", 'Host a\n  HostName {h1}\n  UserKnownHostsFile "{dir}/a space/known"'),
    Case("known hosts of the system",
         "Host a\n  HostName {h1}\n  UserKnownHostsFile none\n  GlobalKnownHostsFile {known}"),
    Case("new keys accepted",
         "Host a\n  HostName {h1}\n  StrictHostKeyChecking accept-new\n  UserKnownHostsFile {dir}/new"),
    Case("no checks", "Host a\n  HostName {h1}\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null"),
    Case("algorithms",
         "Host a\n  HostName {h1}\n  Ciphers aes256-ctr,chacha20-poly1305@openssh.com\n  MACs hmac-sha2-512\n"
         "  KexAlgorithms ecdh-sha2-nistp384\n  HostKeyAlgorithms ssh-ed25519"),
    Case("addresses", "Host a\n  HostName {six}\n  HostKeyAlias h01\n  AddressFamily inet6\n  ServerAliveInterval 5"),
    Case("bind address", "Host a\n  HostName {h1}\n  BindAddress {other}"),
]  # fmt: skip

# As /etc/crypto-policies/back-ends/openssh.config.
POLICY = """\
Ciphers aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-gcm@openssh.com,aes128-ctr
MACs hmac-sha2-256-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-512-etm@openssh.com
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,diffie-hellman-group14-sha256
PubkeyAcceptedAlgorithms ecdsa-sha2-nistp256,ecdsa-sha2-nistp256-cert-v01@openssh.com,ssh-ed25519,rsa-sha2-512
HostKeyAlgorithms ecdsa-sha2-nistp256,ssh-ed25519,ssh-ed25519-cert-v01@openssh.com,rsa-sha2-256
RequiredRSASize 2048
"""
TAIL = """
Host *
  User tester
  IdentityFile {key}
"""
COMMON = """
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {known}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 10
"""


@pytest.fixture(scope="module")
def ground(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Hosts that take several keys and certificates, and the files that configurations name."""
    folder = tmp_path_factory.mktemp("ground")
    (folder / "a space").mkdir()
    keygen("ca", folder)
    for host in lab.hosts:
        (host.folder / "etc").mkdir(exist_ok=True)
        shutil.copy(folder / "ca.pub", host.folder / "etc" / "ca.pub")
    lab.boot(Boot(sshd=SSHD))
    for name in ("second", "bad", "of-a-root", "a space/key", "certified", "second-certified", "expired", "locked"):
        keygen(name, folder)
    keygen("else", folder)
    keygen("ecdsa", folder, "ecdsa")
    good = ["second", "of-a-root", "a space/key", "expired", "locked", "ecdsa"]
    for host in lab.hosts:
        with (host.folder / "etc" / "authorized_keys").open("a") as keys:
            keys.writelines((folder / f"{name}.pub").read_text() for name in good)
    certify("certified", folder)
    certify("second-certified", folder)
    (folder / "second-certified-cert.pub").rename(folder / "a-cert.pub")
    certify("else", folder)
    (folder / "else-cert.pub").rename(folder / "other-cert.pub")
    certify("expired", folder, "-V", "20200101:20200102")
    known = lab.known_hosts.read_text()
    for name in ("other", "a space/known"):
        (folder / name).write_text(known.replace("h01,", "other,h01,"))
    lab.known_hosts.write_text(known.replace("h01,", f"h01,fd91:{lab.id:x}::b,"))
    shutil.copy(folder / "certified", folder / "bare")  # beside no certificate that ssh-add would take, too
    with (
        agent(folder / "agent", folder, "bad", "else", "bare", "second-certified", "ecdsa", "locked", "second"),
        agent(folder / "agent2", folder, "certified"),
    ):
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(folder / "locked")], check=True)
        yield places(lab, folder)


@contextlib.contextmanager
def agent(place: Path, folder: Path, *keys: str) -> Iterator[None]:
    """An ssh-agent that holds these keys."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
    try:
        while not place.exists():
            assert process.poll() is None
        for name in keys:
            words = ["ssh-add", "-q", str(folder / name)]
            subprocess.run(words, env={**os.environ, "SSH_AUTH_SOCK": str(place)}, check=True)
        yield
    finally:
        process.kill()
        process.wait()


def places(lab: Lab, folder: Path) -> dict[str, str]:
    """The words that configurations have in braces."""
    found = {"h1": lab.hosts[0].address, "h2": lab.hosts[1].address, "h3": lab.hosts[2].address, "dir": str(folder)}
    found |= {"key": str(lab.key), "known": str(lab.known_hosts), "ssh": SSH, "net": lab.net, "other": lab.master}
    found |= {"six": f"fd91:{lab.id:x}::b", "base": str(folder / "base")}
    (folder / "base").write_text((TAIL + COMMON).format(**found))
    (folder / "a.conf").write_text(f"Host a\n  HostName {found['h3']}\n  User root\n")
    (folder / "policy.config").write_text(POLICY)
    (folder / "user.conf").write_text("User root\nHost b\n  Port 99\n")
    return found


def keygen(name: str, folder: Path, kind: str = "ed25519") -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", str(folder / name)], check=True)


def certify(name: str, folder: Path, *options: str) -> None:
    words = ["ssh-keygen", "-q", "-s", str(folder / "ca"), "-I", name, "-n", "tester,root", *options]
    subprocess.run([*words, str(folder / f"{name}.pub")], check=True)


def ssh_arrives(path: Path, case: Case) -> str:
    words = [SSH, "-F", str(path)]
    words += ["-l", case.user] if case.user else []
    words += ["-p", str(case.port)] if case.port else []
    done = subprocess.run([*words, case.host, LOOK], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if "Match attribute" in done.stderr:
        pytest.skip("this ssh is too old for that criterion")
    assert done.returncode == 0, done.stderr
    return done.stdout


def spe_arrives(path: Path, case: Case) -> str:
    options = Options(path.parent, path, connect_limit=10.0)
    connection = connect(Host(case.host, user=case.user, port=case.port), options)
    try:
        channel = connection.transport.open_session()
        channel.exec_command(LOOK)
        return channel.makefile("rb").read().decode()
    finally:
        connection.close()


@pytest.fixture
def written(ground: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Case], Path]:
    monkeypatch.setenv("SPE_TEST_KEYS", ground["dir"])

    def write(case: Case) -> Path:
        tail = TAIL + COMMON if case.tail else "\nHost *\n  User tester\n" + COMMON
        path = tmp_path / "config"
        path.write_text(case.text.format(**ground) + tail.format(**ground))
        Path(ground["dir"], "new").unlink(missing_ok=True)
        return path

    return write


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_spe_arrives_where_ssh_arrives(case: Case, written: Callable[[Case], Path]) -> None:
    path = written(case)
    arrived = ssh_arrives(path, case)
    path = written(case)  # what ssh has learnt is forgotten
    assert spe_arrives(path, case) == arrived
    print(arrived, file=sys.stderr)


@pytest.mark.parametrize("case", [case for case in CASES if case.without], ids=lambda case: case.name)
def test_spe_arrives_there_without_an_ssh_program(
    case: Case, written: Callable[[Case], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(case)
    arrived = ssh_arrives(path, case)
    path = written(case)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert spe_arrives(path, case) == arrived


@pytest.mark.parametrize(
    ("line", "used"),
    [
        ("Ciphers aes256-ctr", ("aes256-ctr", None, None)),
        ("Ciphers aes192-ctr,aes128-gcm@openssh.com", ("aes192-ctr", None, None)),
        ("Ciphers -aes*-gcm@openssh.com", ("aes128-ctr", None, None)),
        ("Ciphers ^aes256-gcm@openssh.com", ("aes256-gcm@openssh.com", None, None)),
        ("Ciphers aes256-ctr\n  MACs hmac-sha2-512,hmac-sha2-256", ("aes256-ctr", "hmac-sha2-512", None)),
        ("KexAlgorithms diffie-hellman-group14-sha256", (None, None, "diffie-hellman-group14-sha256")),
        ("HostKeyAlgorithms ssh-ed25519,rsa-sha2-512", (None, None, None)),
    ],
)
@pytest.mark.parametrize("way", ["with ssh", "without ssh"])
def test_the_methods_that_the_configuration_names_are_the_ones_used(
    way: str,
    line: str,
    used: tuple[str | None, str | None, str | None],
    written: Callable[[Case], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = written(Case("methods", f"Host a\n  HostName {{h1}}\n  {line}"))
    if way == "without ssh":
        monkeypatch.setenv("PATH", str(tmp_path))
    connection = connect(Host("a"), Options(path.parent, path))
    transport = connection.transport
    [kex, *_] = transport.get_security_options().kex
    connection.close()
    for wanted, found in zip(used, (transport.local_cipher, transport.local_mac, kex), strict=True):
        assert wanted in (None, found)


def test_methods_that_paramiko_does_not_know_are_told_once_and_not_followed(
    written: Callable[[Case], Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("spe.launch")
    logger.addHandler(caplog.handler)
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(warn_once, "_told", set())
    text = "Host a\n  HostName {h1}\n  Ciphers chacha20-poly1305@openssh.com\n  PubkeyAcceptedAlgorithms sk-*"
    path = written(Case("unknown methods", text))
    for _ in range(2):
        assert spe_arrives(path, Case("", "")).startswith("h01\n")
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line.split()[0] for line in told] == ["PubkeyAcceptedAlgorithms", "Ciphers"]


def test_a_host_key_of_another_kind_than_the_configuration_allows_is_a_fault_as_for_ssh(
    written: Callable[[Case], Path],
) -> None:
    path = written(Case("", "Host a\n  HostName {h1}\n  HostKeyAlgorithms rsa-sha2-512"))
    with pytest.raises(LaunchError) as caught:
        connect(Host("a"), Options(path.parent, path))
    assert caught.value.fault is Fault.LOGIN
    assert "no common method" in caught.value.what
