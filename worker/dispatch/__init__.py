"""Give a post of API v2, however it came, to the output: its message, its counts, and what X bills for it.

The pipeline for posts calls it, one thread at a time; what settles a claim may be another thread.
"""
