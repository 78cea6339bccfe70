"""What earlier runs left, met by a new one."""
