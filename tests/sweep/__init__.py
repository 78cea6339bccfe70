"""What is to be run, checked: parameters, patterns, programs, hosts."""
