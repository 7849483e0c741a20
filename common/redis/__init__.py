"""Redis clients, checks of the shape of their replies, and each client's state.

The master's readers and the workers' counters create their clients here, and nowhere else.
"""
