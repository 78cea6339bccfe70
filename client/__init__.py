"""The client: the one program of spe that runs on a host.

It asks the master for tasks and runs them; loop/loop.py is the way through it. It needs a Python of
3.6 or newer and nothing else, and is shipped as one file (spe-client.pyz). It imports nothing of
the master.
"""

VERSION = "0.2.0"
