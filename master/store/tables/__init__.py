"""Questions to sweep.db about the whole table of results.

    column_types  What the cells of whole columns are
    made_tables   What the tables beside sweep.db were made of
    whole_table   The whole table column by column
"""
