"""Tests of the doors of the farm: its socket and its HTTPS gate."""
