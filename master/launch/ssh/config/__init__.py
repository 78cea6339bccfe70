"""The user's ssh configuration: ssh is asked, and where there is no ssh the files are read.

    algorithms  The methods of encryption that the configuration names
    ask_ssh     `ssh -G HOST`: what ssh itself says
    criteria    Host and Match lines, where there is no ssh to ask
    lookup      The settings of a host or a jump host, asked for once
    read_files  The reading of the files where there is no ssh to ask
    settings    A question and its answer, of either way
    target      What the settings mean for a host, as one typed value
    tokens      %h, ${NAME} and ~ in values
    warn_once   Warnings about the configuration, each told once
"""
