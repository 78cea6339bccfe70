"""A lab of hosts on this machine: network namespaces, each with an sshd, a user, a hostname and a home of its own.

    LAB_HOSTS = 8                                   # of this module; default 4

    def test_something(lab, hosts):                 # `hosts` are fresh ones: clean homes, plain boot
        hosts[0].boot(Boot(no_python=True))
        subprocess.run(["ssh", "-F", lab.ssh_config, "h01", "hostname"], check=True)

A host sees this machine's programs, but not its homes, /tmp, /run, the project, nor what is in sys.prefix. The master
is `lab.master` (10.91.ID.1), also called `master` there. Labs claim their number with a lock, so any number of
test runs go side by side; leftovers of a run that was killed are removed by the next one that takes the number.
Needs root, iproute2, util-linux, openssh-server, nftables.
"""

from .host import USER, Boot, LabHost, Process
from .network import Lab

__all__ = ["USER", "Boot", "Lab", "LabHost", "Process"]
