"""One ticket on a host: its directory and files, its program, and what is to be said of it.

    attempt    One ticket being worked on
    delivery   Bringing what came of tickets to the master
    directory  The directory of a task as its program finds it
    leftovers  What a task leaves as evidence in its directory
    place      The place of one ticket on the host
    report     What is to be said of an attempt
    settings   What a client tells its hands at their start
    spawn      Starting a program without a shell
"""
