"""Who gets a key when keys are short."""

from hypothesis import given
from hypothesis import strategies as st

from traptor.supervisor.connections.planner import Demand, order_demands

demands = st.lists(
    st.builds(
        Demand,
        connection=st.text("abc:.", min_size=1, max_size=4),
        rules=st.integers(0, 9),
        streaming_since=st.none() | st.floats(0, 9),
    ),
    unique_by=lambda demand: demand.connection,
)


def names(*given_demands: Demand) -> list[str]:
    return [demand.connection for demand in order_demands(given_demands)]


def test_who_streams_comes_before_who_has_more_rules() -> None:
    assert names(Demand("track:0", 400), Demand("follow:0", 1, streaming_since=5.0)) == [
        "follow:0",
        "track:0",
    ]


def test_who_streams_longer_comes_first() -> None:
    assert names(Demand("a", 9, 7.0), Demand("b", 1, 5.0)) == ["b", "a"]


def test_more_rules_come_first_and_then_the_name() -> None:
    assert names(Demand("c", 5), Demand("b", 5), Demand("a", 1)) == ["b", "c", "a"]


@given(demands, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_of_asking(asked: list[Demand], rng) -> None:
    shuffled = list(asked)
    rng.shuffle(shuffled)
    assert order_demands(shuffled) == order_demands(asked)


@given(demands, st.integers(0, 10))
def test_more_demands_never_take_the_key_of_one_that_streams(asked: list[Demand], keys: int) -> None:
    streaming = [demand for demand in asked if demand.streaming_since is not None][:keys]
    waiting = [demand for demand in asked if demand.streaming_since is None]
    assert set(streaming) <= set(order_demands([*waiting, *streaming])[:keys])
