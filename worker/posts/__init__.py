"""Lines of an API v2 stream: posts and other lines, their matchable parts, and the reads that X bills; pure.

The pipeline for posts calls it; filters take posts from it.
"""
