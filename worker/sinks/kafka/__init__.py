"""Delivery to Kafka: the producer, its options, its errors, and the messages that Kafka rejects for good.

The entry point builds the sink; `--check` tries options and topics.
"""
