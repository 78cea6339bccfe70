"""Random weeks of a user against an oracle."""
