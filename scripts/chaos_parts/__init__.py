"""The parts of the chaos suite: what it does to a collection, what it reads, and how that is judged."""
