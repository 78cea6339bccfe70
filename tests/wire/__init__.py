"""Bodies and records: multipart as it comes, replies as text."""
