"""spe.yaml as a document: keys, values, and where they stand.

    config             spe.yaml as a documented type
    document           What spe.yaml holds, as plain data that knows its lines
    inputs             Inputs: a mapping or a list
    keys               Blocks of spe.yaml as records: which key a field is of, how its value is checked
    look_alikes        Single values that look like several: a range, a list or a glob
    names              Names, paths and tables of names in spe.yaml
    parameter_names    Names that a parameter may have
    parameters         The blocks under `parameters:` in spe.yaml
    result_sources     The results of a sweep for one set: parameters in `from` filled in
    results            Results, validate and collect in spe.yaml
    samples            `sample:` in spe.yaml: a sampler and its space
    sequences          Number sequences as texts
    units              Durations and sizes as people write them
    values             How the text under a key of spe.yaml becomes a value
    yaml_file          A YAML file read into a document
"""
