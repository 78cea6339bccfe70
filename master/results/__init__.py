"""From the bytes that a program wrote to a value in the table; evidence of failures; table files.

reading/ knows the forms of values in text.

    columns       Parameters that are numbers in all of today's sets
    evidence      Reports of a client beside the results, read with suspicion
    extract       From the bytes that a program wrote to the value of a result
    extraction    Records of an extraction: a set as it is stored, and what becomes of it
    failed_files  What the last attempt of a failed set left (`keep_failed`)
    judge         Decide whether what arrived is a result
    kept_files    Result files on their way from the spool to files/<number>/
    leftovers     Files that lay in the directory of a task when it failed
    near_lines    The lines of a text that a regex without a match may have meant
    reasons       When two reasons of failures are the same, and how many sets failed for which
    renewal       Decide what becomes of a stored set under the `results` of today
    review        Compare a stored set with the `results` of today
    table_files   The files that a sweep leaves
    trees         Results of several files: their names, and the list of them that is stored
"""
