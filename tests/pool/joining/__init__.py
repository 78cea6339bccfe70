"""Tests of joining a farm, on the side of its user."""
