"""The sweep, checked: parameters, patterns, hosts, the program, and the identity of each set.

checks/ knows what is wrong with a sweep as a whole, or likely not meant; inputs/ has the inputs.

    blocks          Blocks of parameters: rows, grid, zip; and their product
    expression      jinja's part of a pattern, and the `where` of a sweep
    folders         The folder below runs/ that a command means
    hosts           Host lines, of a hosts file and of spe.yaml
    identity        The identity of a parameter set: what it computes from
    json_lines      A parameter file of JSON lines
    parameter_file  The parameter file: a header line with the names, then one line a set
    parameters      The parameter sets of a sweep, as a stream
    pattern         Patterns: text with expressions, filled with the values of one parameter set
    plan            A checked sweep: everything that a run knows of it before it begins
    program         The program of a sweep: what it is, and whether it has changed
    program_files   The worker's files, and copies of programs
    recipe          The patterns of a sweep: what one parameter set runs
    samples         Points of a sampler as a block of parameters
    segments        Text cut into literal pieces and expressions
    sweep           A sweep made from spe.yaml or from a command line
    values          Values of parameters within expressions: texts that refuse to be taken for numbers
    written         A one-liner written as a spe.yaml
"""
