"""Faults on demand, and plans that trigger them by a random seed.

Streams ask what strikes them; the admin API and the command line give orders.
"""
