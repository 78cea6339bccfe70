"""`python -m spe` is the command `spe`."""

from .cli import main

main()
