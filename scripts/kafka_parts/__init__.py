"""A real Kafka on this machine, for trying out and for tests."""
