"""The meaning of an app's filters: the rules that a post named by filter ids was sent for.

The pipeline for posts calls `editions`; the master's Rules messages change them while the stream runs.
"""
