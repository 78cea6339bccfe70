"""From the bytes that a program wrote to a value in the table; evidence of failures; table files.

    columns      Parameters that are numbers in all of today's sets
    evidence     Reports of a client beside the results, read with suspicion
    extract      From the bytes that a program wrote to the value of a result
    extraction   Records of an extraction: a set as it is stored, and what becomes of it
    failed_files  What the last attempt of a failed set left (`keep_failed`)
    json_path    Values in a JSON document, found by a dotted path, spelled as they came
    judge        Decide whether what arrived is a result
    kept_files   Result files on their way from the spool to files/<number>/
    leftovers    Files that lay in the directory of a task when it failed
    numerals     The spelling of numbers
    refusal      The refusal of a result: its bytes do not give the value that spe.yaml asks for
    renewal      Decide what becomes of a stored set under the `results` of today
    review       Compare a stored set with the `results` of today
    table_files  The files that a sweep leaves
    trees        Results of several files: their names, and the list of them that is stored
"""
