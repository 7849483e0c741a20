"""Gaps filled afterwards (v2 only): which, by what queries, at what pace and price; workers fetch the posts.

The master runs `Fills`; everything else here is pure. The record of each fill belongs to the ledger.
"""
