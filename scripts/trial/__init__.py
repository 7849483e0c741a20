"""What the demo and the soak share: a collection on this machine, and its judge."""
