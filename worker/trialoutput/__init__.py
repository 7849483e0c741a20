"""A second output for a trial: the same posts in the other form, whose trouble is never the main output's.

The pipeline for posts and the drain worker hand messages to `output`; the entry point makes it with `making`.
"""
