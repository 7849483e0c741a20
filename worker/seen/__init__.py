"""The posts that the workers of one app have taken, in memory and in a file that they share.

Delivery claims a post here in the moment in which it keeps it; the pipeline for posts asks what was seen.
"""
