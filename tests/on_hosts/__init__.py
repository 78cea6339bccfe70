"""Whole sweeps on real hosts: shared homes, hosts that do not come up, masters elsewhere."""
