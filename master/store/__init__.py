"""sweep.db: written by one thread, read for people. All SQL stands here.

    conditions      `seed <= 50 and mesh = 64`
    database        Opens sweep.db: for the master that writes it, and for readers
    database_place  A database that is open and whose file people moved, removed or replaced
    filesystem      What kind of file system a folder lies on
    listing         Tables for the page, read from the store
    reader          The store read for people
    schema          The tables of sweep.db and the `results` view
    store           The store: runs/<name>/sweep.db, the truth about a sweep
    stored          Stored results read and written set by set, for extraction.py
    writer          Writing to sweep.db: one thread owns the connection and commits
    writes          Changes as SQL: each kind in one statement a transaction, however many there are
"""
