"""One-liners: `spe run -p x=1:10 -- ./prog '{{ x }}'` as the keys of a spe.yaml.

    listed      Lists of values for -p from a file or from standard input
    one_liner   The words of a command, with the keys that its options stand for
    options     The options that stand for keys, in one table
    parameters  The options for parameters: -p, --link, --params, --where, --repeat, --sample
    results     --result NAME=FROM[:PATH][:AS]
    until       The time of --until
"""
