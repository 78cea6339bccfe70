"""The farm as a service: what its doors ask of it, alone and with delegates of real accounts."""
