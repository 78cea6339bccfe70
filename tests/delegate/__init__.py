"""Tests of a delegate, and of the command that hands in a job."""
