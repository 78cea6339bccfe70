"""When hosts are started, and started again."""
