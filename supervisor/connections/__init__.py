"""The steps from what runs to what should run: plan, reconcile, refresh, handover.

The master calls `reconcile`, which alone starts, connects and stops workers.
"""
