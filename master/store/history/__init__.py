"""Questions about a run that is over, for those who hand it in.

    provenance  When, where, by which program and from which parameters the rows of the table came
"""
