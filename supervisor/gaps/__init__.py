"""The timeline of one connection: streaming, gaps with their causes, unplanned time.

Connections report events to it; the ledger takes what it completes.
"""
