"""The door of the client. This file alone must be readable by every Python since 2.7.

It says so when the Python is too old, before anything newer is read. All else is in start.py.
"""

import sys

TOO_OLD = 7


def enter():  # type: () -> int
    """Run the client, or say which Python this is and which is needed."""
    if sys.version_info < (3, 6):
        found = sys.version.split()[0]
        sys.stderr.write(
            "spe-client: needs Python 3.6 or newer, this is %s (%s)\n" % (found, sys.executable)
        )
        return TOO_OLD
    from importlib import import_module

    # In the one-file form this file stands alone at the top, and the rest is the package spe_client.
    return int(import_module(".start", __package__ or "spe_client").main())


if __name__ == "__main__":
    sys.exit(enter())
