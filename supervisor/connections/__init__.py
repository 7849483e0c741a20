"""What should run, and the steps from what runs to that: plan, reconcile, refresh, handover.

The master calls `reconcile`, which alone starts, connects and stops workers.
"""
