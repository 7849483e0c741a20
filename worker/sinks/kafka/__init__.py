"""Delivery to Kafka: the producer, its options, its errors, and the letters that it refuses.

The entry point builds the sink; `--check` tries options and topics.
"""
