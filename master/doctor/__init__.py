"""What is wrong with a host: look, understand, judge. It leaves to launch/ how one gets there.

    diagnosis  What is wrong with hosts
    examine    Looks at hosts for `spe doctor`, all at once
    reach      A door that is open for a moment, where the master would listen
    script     The script that looks at a host for `spe doctor`, and what its answers say
"""
