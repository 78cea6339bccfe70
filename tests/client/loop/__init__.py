"""The parts of the client's loop, each driven by its own methods: no client is started."""
