"""The meaning of the ssh configuration for one host, as one typed value, whoever has read it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ....errors import ConfigError
from ....record import record
from ...pasteable import ssh_words
from .settings import Question, Settings
from .tokens import Facts, account, expand, expand_path

DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
USER_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_SSH_PORT = 22
# With "no" ssh also takes keys that have changed; spe never does.
_ACCEPTING = ("accept-new", "no", "off", "false")
_JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>.+)@)?(?:\[(?P<six>[^]]+)]|(?P<host>[^:/@]+))(?::(?P<port>\d+))?/?"
)


@record
class Target:
    """Settings of one connection: the address, the user, the keys, and the way there."""

    alias: str  # as the user wrote it
    hostname: str
    port: int
    user: str
    keys: tuple[Path, ...]
    keys_named: bool  # IdentityFile was given, so that a missing file is worth a warning
    certificates: tuple[Path, ...]
    identities_only: bool
    agent: str | None  # socket of the ssh-agent; None: do not use one
    timeout: float | None
    proxy_command: str | None
    jumps: tuple[str, ...]  # "[user@]host[:port]", the nearest first
    known_hosts: tuple[Path, ...]  # new keys are written to the first
    system_known_hosts: tuple[Path, ...]
    key_alias: str | None
    accept_new: bool  # by StrictHostKeyChecking, the user's own decision
    strict: bool  # StrictHostKeyChecking yes: ssh refuses unknown keys without asking
    hash_names: bool
    family: str  # AddressFamily: any, inet, inet6
    bind: str | None
    alive_interval: int | None  # seconds; None: spe's own
    alive_count: int
    # Algorithms as the files name them ("+a,b" adds, and so on); "" where they do not.
    ciphers: str
    macs: str
    kex: str
    host_keys: str
    key_signatures: str  # PubkeyAcceptedAlgorithms
    words: str  # for a person's command line: `ssh WORDS`
    config: str  # the file to look into, for messages

    @property
    def known_name(self) -> str:
        """The host's name in known_hosts: an alias as it is, else the host name, with an unusual port."""
        if self.key_alias:
            return self.key_alias
        name = self.hostname.lower()
        if self.port == _SSH_PORT:
            return name
        return f"[{name}]:{self.port}"

    def __str__(self) -> str:
        text = f"{self.user}@{self.hostname}"
        if self.port != _SSH_PORT:
            text += f":{self.port}"
        return text


def make_target(question: Question, said: Settings, path: Path | None) -> Target:
    """Return the target that the settings mean. `path`: the file of -F."""
    facts = _facts(question, said)
    return Target(
        alias=question.name,
        hostname=facts.hostname,
        port=facts.port,
        user=facts.user,
        keys=_paths(said, "identityfile", DEFAULT_KEYS, facts),
        keys_named=said.named("identityfile"),
        certificates=_paths(said, "certificatefile", (), facts),
        identities_only=said.yes("identitiesonly"),
        agent=_agent(said.value("identityagent"), facts),
        timeout=said.number("connecttimeout"),
        proxy_command=_proxy_command(said, facts),
        jumps=_jumps(said, facts),
        known_hosts=_paths(said, "userknownhostsfile", USER_HOSTS, facts),
        system_known_hosts=_paths(said, "globalknownhostsfile", SYSTEM_HOSTS, facts),
        key_alias=facts.alias,
        accept_new=(said.value("stricthostkeychecking") or "").lower() in _ACCEPTING,
        strict=(said.value("stricthostkeychecking") or "").lower() in ("yes", "true"),
        hash_names=said.yes("hashknownhosts"),
        family=(said.value("addressfamily") or "any").lower(),
        bind=said.said("bindaddress"),
        alive_interval=said.number("serveraliveinterval"),
        alive_count=said.number("serveralivecountmax") or 3,
        ciphers=said.said("ciphers") or "",
        macs=said.said("macs") or "",
        kex=said.said("kexalgorithms") or "",
        host_keys=said.said("hostkeyalgorithms") or "",
        key_signatures=_key_signatures(said),
        words=ssh_words(question.name, question.user, question.port, path, question.before),
        config=str(path or "~/.ssh/config"),
    )


def parse_jump(spec: str, before: tuple[str, ...], of: Target) -> Question:
    """Return the question for one hop of ProxyJump: `[user@]host[:port]` or `ssh://…`."""
    match = _JUMP.fullmatch(spec)
    if match is None:
        what = f"ProxyJump {spec!r} is not [user@]host[:port]"
        raise ConfigError(what, where=of.config, todo=f"Try: ssh -G {of.words}")
    port = int(match["port"]) if match["port"] else None
    return Question(match["six"] or match["host"], match["user"], port, before)


def _facts(question: Question, said: Settings) -> Facts:
    name = question.name
    jumps = said.said("proxyjump") or ""
    return Facts(
        original=name,
        hostname=expand(said.value("hostname") or name, Facts(name, name, 0, "")),
        port=question.port or said.number("port") or _SSH_PORT,
        user=question.user or said.value("user") or account()[0],
        alias=(said.said("hostkeyalias") or "").lower() or None,  # as ssh -G prints it
        jump=jumps.rpartition(",")[2],
    )


def _paths(
    said: Settings, key: str, default: tuple[str, ...], facts: Facts
) -> tuple[Path, ...]:
    names = said.every(key) or default
    return tuple(expand_path(name, facts) for name in names if name.lower() != "none")


def _proxy_command(said: Settings, facts: Facts) -> str | None:
    command = said.said("proxycommand")
    return expand(command, facts) if command else None


def _jumps(said: Settings, facts: Facts) -> tuple[str, ...]:
    text = said.said("proxyjump")
    return tuple(expand(hop.strip(), facts) for hop in text.split(",")) if text else ()


def _key_signatures(said: Settings) -> str:
    # The second one is its name before OpenSSH 8.5.
    return said.said("pubkeyacceptedalgorithms") or said.said("pubkeyacceptedkeytypes") or ""


def _agent(said: str | None, facts: Facts) -> str | None:
    """Return the ssh-agent's socket: from IdentityAgent, else from the environment."""
    if said is None or said == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK") or None
    if said.lower() == "none":
        return None
    if said.startswith("$") and not said.startswith("${"):
        return os.environ.get(said[1:])
    return str(expand_path(said, facts))
