"""Drills of the farm: accounts of a lab's hosts share six of them, by real ssh and the real commands."""
