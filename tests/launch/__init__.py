"""The client brought to a host: local, by hand, by SSH with a real sshd."""
