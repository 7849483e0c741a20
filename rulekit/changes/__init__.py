"""Changes of rules: what is wanted, what stands in Redis, and what makes one from the other; pure.

The commands work out a change here and show it; `keeping` writes it.
"""
