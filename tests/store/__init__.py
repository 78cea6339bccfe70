"""The database: what was acknowledged is on disk, whatever happens."""
