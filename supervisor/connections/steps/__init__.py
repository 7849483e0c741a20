"""The steps of one connection: what is started, connected, closed or ended for it now.

Reconcile decides whose turn it is, and alone calls these.
"""
