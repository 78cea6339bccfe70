"""One-liners: the options of a command line as the keys of a spe.yaml."""
