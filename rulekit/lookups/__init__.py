"""Questions to X that cost money: accounts by name and id, and counts of recent posts.

The commands say what a question costs, and ask only when they may; answers about accounts are kept in Redis.
"""
