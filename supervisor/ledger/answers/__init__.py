"""Answers of the ledger: what may be asked, and what its file and its memory together tell.

The API asks in threads, `traptorctl` where no supervisor runs. Nothing here changes the ledger.
"""
