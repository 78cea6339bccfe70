"""One host of the lab: boots, is cut off, frozen, killed, looked into."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from waiting import wait_until

from . import people

if TYPE_CHECKING:
    from .network import Lab

USER, UID = "tester", 2001
PROJECT = Path(__file__).resolve().parents[2]
CGROUPS = next(
    (p for p in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")) if (p / "cgroup.procs").exists()),
    Path("/sys/fs/cgroup"),
)


@dataclass(frozen=True, slots=True)
class Boot:
    """How a host is booted; the default is a plain one."""

    shared_home: bool = False  # one home for all hosts booted so
    home: Path | None = None  # what it sees as /home: a mount of one's own, see mounts.py
    home_size: str = ""  # "64k": a home that is soon full
    no_python: bool = False
    no_sshd: bool = False
    no_scp: bool = False
    refuse_key: bool = False
    new_host_key: bool = False  # not the one in known_hosts
    path: str = ""  # PATH of ssh sessions
    shell: str = "/bin/sh"  # the login shell
    root: Path | None = None  # another root tree, with an sshd in it
    binds: tuple[tuple[Path, str], ...] = ()  # (here, there)
    sshd: tuple[str, ...] = ()  # lines for its sshd_config
    people: tuple[str, ...] = ()  # accounts beside the tester's, each with a home and a key: see people.py
    cores: int = 0  # that it says it has, with no load and a boot ID of its own; 0: those of this machine


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a host as /proc shows it from outside."""

    pid: int
    words: tuple[str, ...]
    environ: bytes

    @property
    def line(self) -> str:
        return " ".join(self.words)


def ip(*lines: str, space: str = "") -> None:
    """`ip` commands in one go, in a network namespace if one is named."""
    command = ["ip", *(["-n", space] if space else []), "-batch", "-"]
    subprocess.run(command, input="\n".join(lines), text=True, check=True, capture_output=True)


class LabHost:
    """Host number `number` of a lab: `h01` is number 1."""

    def __init__(self, lab: Lab, number: int) -> None:
        self.lab, self.number, self.name = lab, number, f"h{number:02d}"
        self.address = f"{lab.net}{number + 10}"
        self.space = self.device = f"{lab.tag}-{self.name}"
        self.folder, self.cgroup = lab.folder / self.name, CGROUPS / f"{lab.tag}-{self.name}"
        self.how = Boot()
        self._dirty = True
        self._starter: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return self.name

    # -- power ---------------------------------------------------------------------------------------------

    def boot(self, how: Boot | None = None) -> LabHost:
        """Boots it (again) and waits for its sshd; its home is kept."""
        self.power_on(how or Boot())
        self.wait_until_up()
        return self

    def power_on(self, how: Boot) -> None:
        """Boots without waiting."""
        self.power_off()
        self.how, self._dirty = how, how != Boot()
        self._write_files()
        self._connect_cable()
        self.cgroup.mkdir(exist_ok=True)
        inner = f"nsenter --net=/run/netns/{self.space} "
        inner += "unshare --mount --uts --ipc --pid --fork --kill-child=SIGKILL --mount-proc"
        with (self.folder / "console.log").open("wb") as console:
            self._starter = subprocess.Popen(
                ["sh", "-c", f"echo $$ >{self.cgroup}/cgroup.procs; exec {inner} sh {self.folder}/init"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                start_new_session=True,
            )

    def wait_until_up(self) -> None:
        """Until its first process runs and (if it has one) its sshd answers."""
        wait_until(self._is_up, f"{self.name} up: {(self.folder / 'console.log').read_text()[-500:]}")

    def _is_up(self) -> bool:
        assert self._starter is not None
        if self._starter.poll() is not None:
            raise RuntimeError(f"{self.name} did not boot: {(self.folder / 'console.log').read_text()[-500:]}")
        try:
            if self.how.no_sshd:
                return (self.folder / "up").exists()
            with socket.create_connection((self.address, 22), 2) as sock:
                return sock.recv(4).startswith(b"SSH")
        except OSError:
            return False

    @property
    def first_pid(self) -> int:
        """The host's PID 1, as this machine counts."""
        assert self._starter is not None
        children = Path(f"/proc/{self._starter.pid}/task/{self._starter.pid}/children").read_text().split()
        if not children:
            raise ProcessLookupError(f"{self.name} is not up")
        return int(children[0])

    def power_off(self) -> None:
        """As by the switch: the cable is cut first, so nobody is told, then everything dies."""
        self._dirty = True
        if self.cgroup.exists():
            if os.path.exists(f"/sys/class/net/{self.device}"):
                self.cut()
            (self.cgroup / "cgroup.kill").write_text("1")
            wait_until(lambda: not (self.cgroup / "cgroup.procs").read_text(), f"{self.name} dead")
            (self.cgroup / "cgroup.freeze").write_text("0")
        if self._starter is not None:
            self._starter.wait()
            self._starter = None

    def remove(self) -> None:
        """Power off, and nothing of it stays."""
        self.power_off()
        if self.cgroup.exists():
            wait_until(self._cgroup_gone, f"{self.name}'s cgroup is empty")
        # the namespace dies asynchronously: without the cable first, its name would be taken for a while
        if os.path.exists(f"/sys/class/net/{self.device}"):
            ip(f"link del {self.device}")
        if os.path.exists(f"/run/netns/{self.space}"):
            subprocess.run(["ip", "netns", "del", self.space], check=True)

    def _cgroup_gone(self) -> bool:
        try:
            self.cgroup.rmdir()
        except OSError:  # the last of its processes is dead and not yet reaped
            return False
        return True

    def refresh(self) -> None:
        """Back to a plain host with a clean home, however a test has left it."""
        if self._dirty or self.processes(user_only=True):
            self.power_on(Boot())
        self._empty(self.folder / "home" / USER, self.folder / "tmp", self.folder / "var-tmp")
        for home in (self.folder / "home").iterdir():
            if home.name != USER:
                shutil.rmtree(home)

    def _empty(self, *folders: Path) -> None:
        for folder in folders:
            for entry in folder.iterdir() if folder.exists() else ():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    # -- the cable -----------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Silence: nothing passes, and nobody is told.

        Out of the bridge and down: only out of it, this machine would still take in what the host sends.
        """
        self._dirty = True
        ip(f"link set {self.device} nomaster down")

    def heal(self) -> None:
        """The cable is in again."""
        ip(f"link set {self.device} master {self.lab.bridge} up")

    def block(self, port: int, how: str = "drop") -> None:
        """A firewall on the host: its connections to this port of the master are dropped (or `reject`ed)."""
        self._dirty = True
        verdict = "reject with tcp reset" if how == "reject" else "drop"
        rules = "add table inet lab; add chain inet lab out { type filter hook output priority 0; }; "
        rules += f"add rule inet lab out ip daddr {self.lab.master} tcp dport {port} {verdict}"
        subprocess.run(["nsenter", f"--net=/run/netns/{self.space}", "nft", rules], check=True)

    def shut(self) -> None:
        """A firewall on the host that lets nobody in any more; connections that are there stay."""
        self._dirty = True
        rules = "add table inet shut; add chain inet shut in { type filter hook input priority 0; }; "
        rules += "add rule inet shut in iif != lo tcp flags & (syn|ack) == syn drop"
        subprocess.run(["nsenter", f"--net=/run/netns/{self.space}", "nft", rules], check=True)

    def unblock(self) -> None:
        """No firewall."""
        subprocess.run(["nsenter", f"--net=/run/netns/{self.space}", "nft", "flush ruleset"], check=True)

    def freeze(self) -> None:
        """Every process stands still; the kernel goes on answering TCP."""
        self._dirty = True
        (self.cgroup / "cgroup.freeze").write_text("1")
        wait_until(lambda: "frozen 1" in (self.cgroup / "cgroup.events").read_text(), f"{self.name} frozen")

    def thaw(self) -> None:
        """And go on."""
        (self.cgroup / "cgroup.freeze").write_text("0")

    # -- its manners ---------------------------------------------------------------------------------------

    def kill_at_logout(self, signal: str = "KILL") -> None:
        """From now on the user's processes are killed while no SSH session of theirs is open, as systemd-logind does
        with KillUserProcesses.
        """
        self._watch(f"pgrep -u {UID} -f '^sshd' >/dev/null || {{ p=$(pgrep -u {UID}) && kill -{signal} $p; }}")

    def kill_clients(self, seconds: int = 0, *, once_registered: bool = False) -> None:
        """From now on clients of spe are killed that are older, whoever is logged in.

        With `once_registered`, only when their log says that they have: on a busy machine that takes more seconds.
        """
        find = f"p=$(pgrep -u {UID} -f -O {seconds} -- '--master .*--detach')"
        forget = ""
        if once_registered:
            logs = "find /home /tmp -path '*/spe-*/log' -exec grep -l 'registered with' {} +"
            find += f" && l=$({logs}) && [ -n \"$l\" ]"
            forget = "; rm -f $l"  # so that it is not taken for that of the next client
        self._watch(f"{find} && {{ kill -KILL $p{forget}; }}")

    def _watch(self, command: str) -> None:
        """Runs a command there again and again as root, until the host is booted anew."""
        self._dirty = True
        watch = shlex.quote(f"while sleep 0.1; do {command}; done")
        self.root("sh", "-c", f"setsid sh -c {watch} >/dev/null 2>&1 </dev/null &")

    # -- looking in ----------------------------------------------------------------------------------------

    def root(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command there as root."""
        enter = ["nsenter", "-t", str(self.first_pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        return subprocess.run([*enter, *words], text=True, capture_output=True, check=check, timeout=60)

    def shell(self, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a shell command there as the user, without SSH."""
        user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", f"HOME=/home/{USER}"]
        return self.root(*user, "sh", "-c", f"cd; {command}", check=check)

    def processes(self, *, user_only: bool = False) -> list[Process]:
        """What runs there; with user_only, what runs there as the user and is not sshd's."""
        found = list(self._processes())
        return [p for p in found if _owner(p.pid) == UID and not p.line.startswith("sshd")] if user_only else found

    def _processes(self) -> Iterator[Process]:
        for pid in (self.cgroup / "cgroup.procs").read_text().split() if self.cgroup.exists() else ():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
                environ = Path(f"/proc/{pid}/environ").read_bytes()
            except (OSError, ProcessLookupError):
                continue  # it has just ended
            if words:
                yield Process(int(pid), tuple(w.decode(errors="replace") for w in words.split(b"\0")[:-1]), environ)

    def connections(self) -> list[Process]:
        """The sshd processes of the user's connections, one each."""
        return [p for p in self.processes() if p.line.startswith(f"sshd: {USER}") and "[priv]" not in p.line]

    def files(self) -> set[str]:
        """Every file and folder where a user can write, with the size and time of files."""
        places = [p for p in ("/home", "/tmp", "/var/tmp", "/dev/shm", "/root", "/run/lock") if self._has(p)]
        out = self.root("find", *places, "-printf", r"%y %p|%y %s %T@\n").stdout
        return {line.split("|")[0] if line.startswith("d") else line for line in out.splitlines()}

    def _has(self, path: str) -> bool:
        return self.root("test", "-d", path, check=False).returncode == 0

    # -- its files -----------------------------------------------------------------------------------------

    def _connect_cable(self) -> None:
        if not os.path.exists(f"/run/netns/{self.space}"):
            subprocess.run(["ip", "netns", "add", self.space], check=True)
            ip(f"link add {self.device} type veth peer name eth0 netns {self.space}", f"link set {self.device} up")
            six = f"fd91:{self.lab.id:x}::{self.number + 10:x}/64"
            ip(f"addr add {self.address}/24 dev eth0", f"addr add {six} dev eth0 nodad", "link set eth0 up",
               "link set lo up", space=self.space)  # fmt: skip
        else:
            self.unblock()
        self.heal()

    def _write_files(self) -> None:
        for name in ("etc", "home", "root", "tmp", "var-tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "up").unlink(missing_ok=True)
        (self.folder / "tmp").chmod(0o1777)
        (self.folder / "var-tmp").chmod(0o1777)
        self._make_key()
        self._write_etc()
        for home in (self.folder / "home" / USER, self.lab.shared_home / USER):
            home.mkdir(parents=True, exist_ok=True)
            os.chown(home, UID, UID)
        people.make_homes(self, self.how.people)
        (self.folder / "init").write_text("\n".join(self._init()) + "\n")

    def _make_key(self) -> None:
        """The one in known_hosts is `hostkey`; a host installed anew has another."""
        key = self.folder / "hostkey"
        if not key.exists():
            _keygen(key, self.name)
        shown = self.folder / "etc" / "hostkey"
        for file in (shown, Path(f"{shown}.pub")):
            file.unlink(missing_ok=True)
        if self.how.new_host_key:
            _keygen(shown, f"{self.name}-new")
        else:
            shutil.copy2(key, shown)
            shutil.copy2(f"{key}.pub", f"{shown}.pub")

    def _write_etc(self) -> None:
        etc, how = self.folder / "etc", self.how
        old = (how.root or Path("/")) / "etc"
        hosts = f"{self.lab.hosts_file}127.0.0.1 localhost\n::1 localhost\n{self.lab.master} master\n"
        (etc / "hosts").write_text(hosts)
        (etc / "hostname").write_text(f"{self.name}\n")
        line = f"{USER}:x:{UID}:{UID}::/home/{USER}:{how.shell}\n"
        more = {
            "passwd": line + people.passwd_lines(how.people, how.shell),
            "group": f"{USER}:x:{UID}:\n" + people.group_lines(how.people),
            "shadow": f"{USER}:*:19000:0:99999:7:::\n" + people.shadow_lines(how.people),
        }
        for name, lines_of_people in more.items():
            (etc / name).write_text((old / name).read_text() + lines_of_people)
        (etc / "shadow").chmod(0o600)
        (etc / "authorized_keys").write_text("" if how.refuse_key else Path(f"{self.lab.key}.pub").read_text())
        # On a plain host one key lets in any account, root among them.
        keys = "/mnt/authorized_keys-%u" if how.people else "/mnt/authorized_keys"
        lines = [*how.sshd, "ListenAddress 0.0.0.0", "ListenAddress ::", "HostKey /mnt/hostkey", "PidFile none",
                 "UsePAM no", "UseDNS no", f"AuthorizedKeysFile {keys}", "PasswordAuthentication no",
                 "KbdInteractiveAuthentication no", "PrintMotd no", "Subsystem sftp internal-sftp"]  # fmt: skip
        told = [f"PATH={how.path}"] if how.path else []
        if how.cores:
            shutil.copy(people.preloaded(self.lab, how.cores), etc / "cores.so")
            told.append("LD_PRELOAD=/mnt/cores.so")
        lines += [f"SetEnv {' '.join(told)}"] if told else []
        (etc / "sshd_config").write_text("\n".join(lines) + "\n")

    def _init(self) -> Iterator[str]:
        """The script that becomes the host's PID 1."""
        how, folder = self.how, self.folder
        top = str(folder / "mnt") if how.root else ""
        yield from ("set -e", "mount --make-rprivate /", f"hostname {self.name}")
        if how.root:  # a private writable layer over the tree
            for name in ("up", "work", "mnt"):
                shutil.rmtree(folder / f"layer-{name}", ignore_errors=True)
                (folder / f"layer-{name}").mkdir()
            (folder / "mnt").mkdir(exist_ok=True)
            layers = f"lowerdir={how.root},upperdir={folder}/layer-up,workdir={folder}/layer-work"
            yield from (
                f"mount -t overlay lab -o {layers} {top}",
                f"mount -t proc proc {top}/proc",
                f"mount --rbind /dev {top}/dev",
            )
        yield f"mount --bind {folder}/etc {top}/mnt"
        yield from (
            f"mount --bind {folder}/etc/{name} {top}/etc/{name}"
            for name in ("hosts", "passwd", "shadow", "group", "hostname")
        )
        if how.cores:
            yield from people.own_kernel(self, top)
        yield from self._without_programs(top)
        yield from (
            f"mkdir -p {folder}/bind{i}; mount --bind {here} {folder}/bind{i}" for i, (here, _) in enumerate(how.binds)
        )
        if how.home_size:
            yield f"mount -t tmpfs -o size={how.home_size},mode=755 none {top}/home"
            yield f"mkdir {top}/home/{USER}; chown {UID}:{UID} {top}/home/{USER}"
        else:
            home = how.home or (self.lab.shared_home if how.shared_home else folder / "home")
            yield f"mount --bind {home} {top}/home"
        yield from (f"mount --bind {folder}/root {top}/root", f"mount -t tmpfs none {top}/dev/shm")
        if not how.root:
            yield from (f"mount -t tmpfs -o mode=755 none {path}" for path in _hidden())
        yield f"mkdir -p {top}/var/tmp; mount --bind {folder}/var-tmp {top}/var/tmp"
        for i, (_, there) in enumerate(how.binds):
            # Below /tmp: into what becomes its /tmp, since the source lies below ours and is then out of sight.
            place = f"{folder}{there}" if there.startswith("/tmp/") else f"{top}{there}"
            yield f"mkdir -p {place}; mount --bind {folder}/bind{i} {place}"
        yield from (f"touch {folder}/up", f"mount --rbind {folder}/tmp {top}/tmp")
        yield from (f"mount -t tmpfs -o mode=755 none {top}/run", f"mkdir -p {top}/run/sshd", "cd /")
        last = "sleep infinity" if how.no_sshd else "/usr/sbin/sshd -D -e -f /mnt/sshd_config"
        yield f"exec chroot {top} {last}" if top else f"exec {last}"

    def _without_programs(self, top: str) -> Iterator[str]:
        """Programs that this host lacks: gone, not only unreadable."""
        unwanted = [*(["python*", "pypy*"] if self.how.no_python else []), *(["scp"] if self.how.no_scp else [])]
        if unwanted:
            layer = self.folder / "bin"
            shutil.rmtree(layer, ignore_errors=True)
            yield f"mkdir -p {layer}/up {layer}/work"
            layers = f"lowerdir={top}/usr/bin,upperdir={layer}/up,workdir={layer}/work"
            yield f"mount -t overlay lab -o {layers} {top}/usr/bin"
            yield "rm -f " + " ".join(f"{top}/usr/bin/{name}" for name in unwanted)
            yield f"mount -t tmpfs none {top}/usr/local/bin"


def _keygen(file: Path, comment: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(file)], check=True)


def _owner(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def _hidden() -> Sequence[str]:
    """This machine's own things that no host has: the project and the environment that runs the tests."""
    bad = ("/usr", "/bin", "/root", "/tmp", "/home", "/run")  # the system's, or private to each host anyway
    places = {PROJECT, Path(sys.prefix).resolve()}
    outer = [p for p in sorted(places) if not any(p.is_relative_to(other) for other in places - {p})]
    return [shlex.quote(str(p)) for p in outer if not str(p).startswith(bad) and p != Path("/")]
