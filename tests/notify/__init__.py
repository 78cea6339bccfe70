"""Messages about a run: which are due, how they are sent, and real runs with real servers."""
