"""From a matched message to its delivery report: batches, commits, backlog, and a watch on the sink.

The pipeline hands messages over; sinks implement the protocol in `sink`.
"""
