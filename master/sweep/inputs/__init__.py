"""The inputs of a sweep: files that each task finds in its directory.

    archive   The files of a folder as one archive, which clients unpack once
    digests   Digests of files, remembered from one run to the next
    files     The input files of a sweep by their paths, as its run uses them
    globs     Files that match a glob as values of a parameter, and each task's own of them
    listing   The inputs as spe.yaml names them, made into patterns
    pattern   One input: its name, and its text or its path, as patterns
    template  Files with expressions, filled for each set
    tree      The files of a folder, or those that a glob matches
    trees     Folders and globs with their digests and their archives
"""
