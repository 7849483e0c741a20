"""From a matched message to its delivery report: the outbox and what goes in and out of it.

The pipeline hands messages over; sinks stand behind the Protocol in `sink`.
"""
