"""`spe doctor` on real hosts with real faults."""
