"""The last status serves for a second, and not after an order."""

from __future__ import annotations

from itertools import count

from traptor.supervisor.status.latest import Latest


def test_a_status_is_used_again_for_a_second_and_until_something_is_ordered() -> None:
    now, numbers = [0.0], count()
    latest = Latest(lambda: {"number": next(numbers)}, lambda: now[0])
    assert latest.recent() == {"number": 0}
    now[0] = 0.99
    assert latest.recent() == {"number": 0}
    assert latest.new() == {"number": 1}
    now[0] = 1.9
    assert latest.recent() == {"number": 1}, "whoever made it"
    now[0] = 2.0
    assert latest.recent() == {"number": 2}
    latest.outdated()
    assert latest.recent() == {"number": 3}
