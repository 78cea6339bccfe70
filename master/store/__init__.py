"""sweep.db: written by one thread, read for people. All SQL stands here.

schema.sql describes the tables; printed/ reads what the programs of ended sets printed.

    conditions      Conditions that people write to filter a table: read, and made SQL
    database        Opens sweep.db: for the master that writes it, and for readers
    database_place  Finds and mends an open database whose file people moved, removed or replaced
    decisions       Writes what people decide about sets
    filesystem      Finds what kind of file system a folder lies on
    listing         Tables for the page, read from the store
    reader          The store read for people
    schema          The tables of sweep.db, its settings, the view `results`
    sessions        Runs and sessions in the store
    statistics      The sweep in numbers
    store           The store: runs/<name>/sweep.db, the truth about a sweep
    stored          Reads and writes stored results set by set, for extraction.py
    task_details    Reads a set in full
    writer          Writing to sweep.db: one thread owns the connection and commits
    writes          Writes changes of the dispatch as SQL
"""
