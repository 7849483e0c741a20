"""Numbers about time: waits that grow, the earliest of many moments, rates, and the steps of delays; pure.

Everybody calls it.
"""
