"""The table of results for other programs: columns with types, in the forms that they read.

    arrow      The table as one of pyarrow, with typed columns
    arrow_pages  Pages of a pyarrow table of texts
    asked_for  The sets that meet a condition of the page, with the grammar of `--where`
    columns    The columns, and the types of their cells
    current_file  results.csv, where it is what the database would make
    extras     Libraries that a plain installation does not have
    files      The table as a file: csv, json, parquet, xlsx
    frames     The table as a data frame of pandas or polars
    output_file  A file that the user names for what is written: whole, or not at all
    pages      Some rows, as a condition and a sorting see them
    part_files   Part files, each locked by the process that writes it: of killed ones none is left
    selection  The rows and columns that somebody asks for
    sheet      The table as a sheet of Excel or LibreOffice
"""
