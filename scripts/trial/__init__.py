"""What the demo and the soak share: a collection on this machine, and who judges it."""
