"""Metrics for Prometheus, from the status: their names, values and labels, and the text that is scraped.

The API calls `exposition`. Labels are names of connections, keys and the like; there is none per rule.
"""
