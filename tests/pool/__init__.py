"""Tests of the farm: what it deals, who its users are, and its doors."""
