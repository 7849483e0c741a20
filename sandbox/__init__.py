"""A local Twitter/X for trying out and testing, with faults on demand."""
