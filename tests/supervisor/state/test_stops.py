"""What the operator stopped is remembered over restarts, until it is started."""

from __future__ import annotations

from pathlib import Path

from traptor.supervisor.state.stops import Stops
from traptor.supervisor.state.store import StateStore


def test_a_stop_outlives_the_supervisor_and_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with StateStore(path) as store:
        stops = Stops(store)
        assert "track:0" not in stops
        stops.add("track:0", 100.0)
        stops.add("track:0", 200.0)
        stops.add("follow:0.2", 150.0)
    with StateStore(path) as store:
        stops = Stops(store)
        assert stops.all() == {"track:0": 100.0, "follow:0.2": 150.0}
        assert stops.since("track:0") == 100.0
        stops.remove("track:0")
        stops.remove("track:0")
        assert "track:0" not in stops
    with StateStore(path) as store:
        assert Stops(store).all() == {"follow:0.2": 150.0}
