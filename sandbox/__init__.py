"""A local Twitter/X for trying out and testing, with faults on demand.

Its command line and tests call it. It judges the worker from outside, so it shares no code with it.
"""
