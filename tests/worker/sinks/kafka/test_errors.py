"""What an operator is advised to do about a message that is too large."""

from __future__ import annotations

import pytest

from traptor.worker.sinks.kafka.errors import size_advice


@pytest.mark.parametrize(
    ("most_bytes", "is_local", "expected"),
    [
        (9000, True, "raise message.max.bytes in [kafka] above 5000"),
        (3000, True, "raise message.max.bytes in [kafka] above 5000, and max.message.bytes of the topic"),
        (None, True, "raise message.max.bytes in [kafka] above 5000, and max.message.bytes of the topic"),
        (3000, False, "raise max.message.bytes of the topic above 5000"),
        (None, False, "raise max.message.bytes of the topic above 5000"),
        (9000, False, "lower batch.size in [kafka]: the topic takes batches up to 9000"),
    ],
)
def test_the_limit_that_was_hit_is_the_one_to_raise(
    most_bytes: int | None, is_local: bool, expected: str
) -> None:
    assert size_advice(5000, most_bytes, is_local=is_local) == expected
