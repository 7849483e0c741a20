"""Gaps filled afterwards (v2 only): which, by what queries, at what pace and price; workers fetch the posts.

The master runs `Fills`, and `--plan` asks for the queries. The record of each fill belongs to the ledger.
"""
