"""What is to be run, checked: parameters, patterns, hosts, the worker, and the identity of each set.

    advice          What is allowed but likely not meant
    expression      What is more than a name in a pattern, and the `where` of a sweep
    folders         Which folder below runs/ a command means
    hosts           The hosts file, and host lines in spe.yaml
    identity        The identity of a parameter set: what it computes from
    name_clashes    The names of one sweep held against each other
    parameter_file  The parameter file: a header line with the names, then one line a set
    parameters      The parameter sets of a sweep
    pattern         Patterns: text with expressions, filled with the values of one parameter set
    program         What a sweep's program is
    program_change  Programs during a sweep
    recipe          What one parameter set runs
    segments        Text cut into literal pieces and expressions
    sweep           One sweep, checked: what `spe run` is going to do, from spe.yaml or from a command line
    worker          The user's executable
"""
