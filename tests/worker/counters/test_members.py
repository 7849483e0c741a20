"""Commands for many rolling sets at once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from traptor.worker.counters.batches import Command
from traptor.worker.counters.members import MOST_A_SECOND, TRIM_INTERVAL_S, Trimming, added

NOW = 1_795_514_400.25


def keys_of(command: Command) -> list[str]:
    _, _, count, *rest = command
    return [str(key) for key in rest[: int(count)]]


@given(st.lists(st.integers(1, 200), max_size=3_000))
def test_the_members_of_a_second_are_numbered_on_over_all_commands(counts: list[int]) -> None:
    matches = {f"stats:track:0:{number}": count for number, count in enumerate(counts)}
    following, found = 7, {}
    for command in added(matches, NOW, 7):
        keys = keys_of(command)
        score, second, first, _lifetime, *kept = command[3 + len(keys) :]
        assert (score, second, first) == (NOW, int(NOW), following)
        found |= dict(zip(keys, kept, strict=True))
        following += sum(map(int, kept))
    assert found == {key: min(count, MOST_A_SECOND) for key, count in matches.items()}


def test_each_set_is_trimmed_every_ten_seconds_and_a_share_of_them_in_each() -> None:
    trimming = Trimming()
    keys = [f"stats:track:0:{number}" for number in range(5_000)]
    trimming.written(keys, NOW)
    assert trimmed(trimming, NOW) == Counter(keys), "the first time all at once"
    rounds = [trimmed(trimming, NOW + second) for second in range(1, TRIM_INTERVAL_S + 1)]
    assert sum(rounds, Counter[str]()) == Counter(keys)
    assert all(len(some) < len(keys) / 5 for some in rounds)


def test_a_set_without_members_left_is_trimmed_a_last_time() -> None:
    trimming = Trimming()
    trimming.written(["stats:track:0:a"], NOW)
    assert trimmed(trimming, NOW + 950) == {"stats:track:0:a": 1}
    assert not trimmed(trimming, NOW + 2_000)


def trimmed(trimming: Trimming, now: float) -> Counter[str]:
    return Counter(key for command in trimming.commands(now) for key in keys_of(command))
