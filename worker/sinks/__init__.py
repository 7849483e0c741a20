"""Outputs: lines in files, lines on stdout, Kafka.

The entry point creates one; delivery calls it.
"""
