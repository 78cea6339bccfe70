"""A run handed in: as a report for people, and as a zip from which others repeat it.

The zip is an RO-Crate. `spe replay` needs only spe.json and SHA256SUMS in it, and so no library; it
runs the sweep by the same way as `spe run`.

    archive      A zip that others made: its names, sizes and digests are checked before its use
    compared     The results of a replay beside those of the zip
    crate        Writes the zip of a run
    evidence     What two results are compared by: cells, digests of their bytes and files
    facts        What a report and a zip say of a run
    manifest     spe.json: what a zip is made of
    methods      Sentences about a run: what was done, and how to repeat it
    output       Places for what is written, and the run that is meant: is it over?
    plots        The drawings of a report
    program      Is the program that is here the one that made the rows?
    report       The report as one HTML file
    ro_crate     The metadata of a zip as RO-Crate has it
    sweep_files  The files that a sweep is made of, with their digests
    workplace    The folder of a replay: made of a zip and of what is supplied
"""
