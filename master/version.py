"""The version of spe, which everything else may ask for."""

