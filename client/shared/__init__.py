"""The files that many tasks share on this host: the worker and inputs, fetched once and kept.

    archives   Inputs of many files: an archive that is unpacked once
    cache      The worker on this host: fetched once, kept for all tasks
    inputs     The input files that many tasks share, on this host
    originals  Worker and inputs of which each task has a copy, a clone or a link
    stamps     Stamps of files and of trees: what a task may change of them
"""
