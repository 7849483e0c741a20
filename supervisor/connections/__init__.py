"""What should run, and the steps towards it: plan, reconcile, refresh, handover.

The master calls `reconcile`, which alone starts, connects and stops workers.
"""
