"""Faults made on purpose while a sweep runs: kills, cut links, full disks, clocks. After each, the same five checks."""
