"""The doors of the farm: a Unix socket, where the kernel names who comes, and HTTPS with tokens.

"""
