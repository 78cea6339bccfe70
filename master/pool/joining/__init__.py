"""Joining a farm, on the side of its user: checks, token, and pinned address. Standard library only.

"""
