"""Checks of one sweep as a whole, before anything runs: errors and warnings.

    files_here    Words of the command that are files here, and not in the directory of a task
    files_named   Files of this folder that the reasons of failures name, and tasks do not have
    likeness      What two sweeps have in common beside their parameters
    names         Checks of names: unknown ones, and names used twice
    platforms     The platform of a worker's file, and whether a host can run it
    programs      Checks of the program: what no host could start
    shell_values  Values that a shell would read as more than a word
    shell_words   The words of a pattern that a shell reads
    warnings      Warnings about likely mistakes
"""
