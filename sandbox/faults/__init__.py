"""Faults on demand, and plans that trigger them from a random seed.

Streams ask which faults strike them; the admin API and the command line give orders.
"""
