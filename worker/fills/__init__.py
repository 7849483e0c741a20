"""Posts that a gap lacks, fetched beside the stream and given to the same pipeline.

The session passes the master's orders on; a failure here ends one piece, never the stream.
"""
