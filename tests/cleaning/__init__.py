"""What runs leave on hosts: found, judged and removed."""
