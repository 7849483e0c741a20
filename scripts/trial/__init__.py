"""The shared parts of the demo and the soak: a collection on this machine, and its judge."""
