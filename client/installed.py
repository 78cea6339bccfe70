"""The client from where it is installed, for `spe run` on its own machine.

The one file was rejected for that: it is compiled at each start.
"""

import os
import sys
from importlib import import_module, util

PACKAGE = "spe_client"


def enter() -> int:
    """Run the client under the name that the package has in the one file.

    Nothing is looked for elsewhere.
    """
    spec = util.spec_from_file_location(
        PACKAGE, os.path.join(os.path.dirname(__file__), "__init__.py")
    )
    if spec is None or spec.loader is None:
        raise ImportError("this client's files are incomplete: " + os.path.dirname(__file__))
    sys.modules[PACKAGE] = util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[PACKAGE])
    return int(import_module(PACKAGE + ".start").main())


if __name__ == "__main__":
    sys.exit(enter())
