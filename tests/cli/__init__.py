"""The command line as its users type it: real `spe` processes in folders of their own."""
