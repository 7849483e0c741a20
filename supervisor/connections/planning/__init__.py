"""The plan: which connections should run with which rules, and who gets a key first.

Reconcile plans before it steps; reload has all of it planned afresh.
"""
