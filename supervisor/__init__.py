"""The master: rules, plan, keys, and the pool of worker processes."""
