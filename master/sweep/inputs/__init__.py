"""The inputs of a sweep: files that each task finds in its directory.

    files    The input files of a sweep by their paths, as its run uses them
    pattern  One input of spe.yaml: its name, and its text or its path, as patterns
"""
