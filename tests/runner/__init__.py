"""One run from its start to its end: feeding, gathering, the address."""
