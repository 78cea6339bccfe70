"""The client's one file against a pretended master, and its parts by themselves."""
