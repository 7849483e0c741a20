"""The parts of the demo: what is set up, what is shown while it runs, and how it is judged."""
