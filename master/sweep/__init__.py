"""The sweep, checked: parameters, patterns, hosts, the program, and the identity of each set.

checks/ knows what is wrong with a sweep as a whole, or likely not meant; inputs/ has the inputs, and
sources/ the parameter sets, where/ conditions about them.

    expression      jinja's part of a pattern and of a condition
    folders         The folder below runs/ that a command means
    host_ranges     Ranges of hosts: `lab[01-20]` is twenty names
    hosts           Host lines, of a hosts file and of spe.yaml
    identity        The identity of a parameter set: what it computes from
    parameters      The parameter sets of a sweep, as a stream
    pattern         Patterns: text with expressions, filled with the values of one parameter set
    plan            A checked sweep: everything that a run knows of it before it begins
    program         The program of a sweep: what it is, and whether it has changed
    program_files   The worker's files, and copies of programs
    recipe          The patterns of a sweep: what one parameter set runs
    segments        Text cut into literal pieces and expressions
    sweep           A sweep made from spe.yaml or from a command line
    values          Values of parameters within expressions: texts that refuse to be taken for numbers
    written         A one-liner written as a spe.yaml
"""
