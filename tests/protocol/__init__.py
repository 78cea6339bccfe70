"""The wire as docs/protocol.md tells it, against a real master."""
