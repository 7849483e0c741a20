"""Batch compliance jobs: which of the uploaded ids may no longer be kept, and the storage for both lists.

The service gives `endpoint` and `storage` their routes.
"""
