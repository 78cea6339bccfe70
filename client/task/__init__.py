"""A attempt on a host: its directory and files, its program, and the report of what came of it.

    attempt    One attempt at a task: its place, its program, what came of it
    container  The command of a task, run by apptainer in an image
    delivery   Delivery of what came of attempts to the master
    directory  The directory of a task as its program finds it
    kept       The files of a failed attempt, brought to the master when it asks for them
    leftovers  The evidence that a task leaves in its directory
    place      The place of a ticket on the host: a directory, and files for output and input
    report     The report of an attempt: its results, what it printed, its exit code and what it used
    settings   The settings that a client gives its hands when they start
    spawn      Starting a program without a shell
    trees      Results of several files: which files belong to them
"""
