"""Outputs: lines in files, lines on stdout, Kafka.

The entry point builds one; delivery calls it.
"""
