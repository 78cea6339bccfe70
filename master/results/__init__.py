"""From what a program wrote to a value in the table; evidence of failures; the files of the table.

    columns      Which parameters are numbers in all of today's sets
    evidence     What a client reports beside the results, read with suspicion
    extract      From the bytes that a program wrote to the value of a result
    extraction   What the stored bytes of an attempt are worth under the `results` of today, set by set
    judge        Whether what arrived is a result
    kept_files   Result files on their way from the spool to files/<number>/
    leftovers    The files that lay in the directory of a task when it failed
    numerals     How numbers are spelled
    table_files  The files that a sweep leaves
"""
