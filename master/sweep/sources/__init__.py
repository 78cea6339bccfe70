"""Where the parameter sets of a sweep come from: blocks of names, and rows of cells for them.

    blocks          Blocks of parameters: rows, grid, zip; and their product
    json_lines      A parameter file of JSON lines
    parameter_file  The parameter file: a header line with the names, then one line a set
    samples         Points of a sampler as a block of parameters
"""
