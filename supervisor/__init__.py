"""The master: rules, plan, keys, and the pool of worker processes.

The command line calls it; no other package imports it.
"""
