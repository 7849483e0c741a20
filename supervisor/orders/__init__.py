"""What an operator orders a running supervisor to do, and what it answers about that.

The API calls it. Orders only note what is wanted: the reconcile step carries it out.
"""
