"""Plots of the table: what is drawn, computed without a browser."""
