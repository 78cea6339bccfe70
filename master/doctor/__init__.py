"""Find out what is wrong with a host: look, understand, judge. launch/ knows how to get there.

    diagnosis  Judge what was seen on all hosts together
    examine    Look at hosts for `spe doctor`, all at once
    findings   Findings about one host: each question is a function that reads a sighting
    kinds      Kinds of hosts: on all hosts of one kind a program finds the same
    reach      A server for the moment of the look, at the port where the master would listen
    script     The script that looks at a host for `spe doctor`, and the reader of its answers
    shells     Shells that read a script: on this machine, and on another one through SSH
    sighting   Records of what a sweep needs of a host, and of what was seen there
"""
