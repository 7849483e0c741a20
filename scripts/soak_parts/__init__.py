"""The parts of the soak: what it disturbs, what it measures, and how it is judged."""
