"""The registry: what survives of a farm, in SQLite, PostgreSQL or MariaDB. All SQL of the farm.

The farm works in memory and commits rows; a starting farm loads them. Only `opening` may be
imported without SQLAlchemy, which comes with the extra `farm`.

    address   Finds the database of a registry, and makes the engine that connects to it
    applying  Writes rows in a transaction that fails when another farm leads
    clock     The time by the database's own clock, as an SQL expression
    leader    The one farm that may deal: it takes the lead, renews it, and gives it up
    lock      An exclusive lock beside an SQLite file, held as long as the farm lives
    opening   Opens the registry, or says which library is missing
    reading   Reads rows: what a starting farm needs, and pages for people
    registry  An open registry: load, commit, pages, and whether this farm may deal
    schema    Makes the tables, refuses newer ones, copies and migrates older ones
    tables    The tables, made from the records of rows.py
    values    Checks that a row fits into every kind of database
    writer    The thread that commits, and tries again while the database is away
"""
