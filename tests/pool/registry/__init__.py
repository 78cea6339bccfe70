"""The registry of the farm, on SQLite and on real servers of PostgreSQL and MariaDB."""
