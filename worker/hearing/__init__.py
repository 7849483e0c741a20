"""What the master says over the socketpair, as it comes: frames, and the birth, which is the first of them.

The entry point learns its birth from `newborn`; the link reads orders by `frames`.
"""
