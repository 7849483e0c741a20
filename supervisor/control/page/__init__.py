"""The status page: what a browser shows of a supervisor, kept current while it is open.

The API serves it among its routes; it only shows what the status, the rates and the gap ledger say.
"""
