"""How fast connections receive, now and over the last hour."""

from __future__ import annotations

from traptor.supervisor.status.rates import STEPS, Rates


def fed(rates: Rates, seconds: range, per_second: int, name: str = "track:0", base: int = 0) -> int:
    """Note a steady stream second by second; return the total at its end."""
    total = base
    for at in seconds:
        rates.note({name: total}, float(at))
        total += per_second
    return total - per_second


def test_a_rate_is_known_from_the_second_note_on() -> None:
    rates = Rates()
    assert rates.per_second("track:0") is None
    rates.note({"track:0": 100}, 10.0)
    assert rates.per_second("track:0") is None
    rates.note({"track:0": 106}, 12.0)
    assert rates.per_second("track:0") == 3.0


def test_the_present_rate_is_that_of_the_last_minute() -> None:
    rates = Rates()
    total = fed(rates, range(300), per_second=50)
    fed(rates, range(300, 400), per_second=2, base=total + 2)
    assert rates.per_second("track:0") == 2.0


def test_the_history_has_a_step_a_minute_for_an_hour() -> None:
    rates = Rates()
    total = fed(rates, range(601), per_second=10)
    assert rates.history("track:0") == [10.0] * 10
    fed(rates, range(601, 601 + 60 * 70), per_second=4, base=total + 4)
    history = rates.history("track:0")
    assert len(history) == STEPS
    assert set(history) == {4.0}


def test_a_connection_that_is_gone_is_forgotten_and_one_that_counts_anew_has_no_negative_rate() -> None:
    rates = Rates()
    fed(rates, range(100), per_second=10)
    rates.note({"track:0": 0}, 100.0)
    rates.note({"track:0": 7}, 101.0)
    assert rates.per_second("track:0") == 7.0
    rates.note({"follow:0": 5}, 102.0)
    assert rates.per_second("track:0") is None
    assert rates.history("track:0") == []
