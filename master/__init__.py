"""spe, Simple Parallel Exec: one program over many parameter sets on every machine you reach, one table of results."""

__version__ = "0.1.0"
__all__ = ["__version__"]
