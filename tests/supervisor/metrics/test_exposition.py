"""The metrics follow from the status, their names and labels are as agreed, and no counter falls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.statuses import WORKS, group, status_of
from support.stepping import A, B, SteppedWorld

from traptor.common.counts import Counters
from traptor.common.messages import Activity, DisconnectKind, Report
from traptor.common.redis.state import RedisState
from traptor.supervisor.metrics.exposition import Exposition
from traptor.supervisor.reload import ReloadOutcome
from traptor.supervisor.rules.redisuses import RedisUse, UseState

Values = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def world(tmp_path: Path) -> SteppedWorld:
    return SteppedWorld(tmp_path, A, B)


def shown(world: SteppedWorld, **parts: Any) -> dict[str, Any]:
    return {"problems": [], "health": "ok", **status_of(world, **parts)}


def values(text: bytes) -> Values:
    """The samples by name and the values of their labels, in the labels' alphabetical order."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def scraped(status: dict[str, Any]) -> Values:
    return values(Exposition().text(status))


def test_a_connection_that_streams_and_one_that_waits(world: SteppedWorld) -> None:
    c = world.connection("track:0", "storm")
    world.stream(c)
    other = world.connection("follow:0", "1", "2")
    stopped = world.connection("track:1", "hail")
    stopped.is_stopped = True
    world.set_keys(A)
    world.step()
    found = scraped(shown(world))
    assert found["traptor_stream_connected", ("track:0",)] == 1
    assert found["traptor_stream_connected", (other.name,)] == 0
    assert found["traptor_stream_wanted", (other.name,)] == 1
    assert found["traptor_stream_wanted", ("track:1",)] == 0
    assert found["traptor_rules_not_collected", (other.name,)] == 2
    assert found["traptor_rules_not_collected", ("track:0",)] == 0
    assert found["traptor_rules_unassigned", ("follow",)] == 2
    assert found["traptor_workers", ("UP", "track")] == 1
    assert found["traptor_workers", ("STOPPED", "track")] == 1
    assert found["traptor_workers", ("WAITING_FOR_KEY", "follow")] == 1
    assert found["traptor_worker_up", ("track:0",)] == 1
    assert found["traptor_gap_seconds_total", ("no_key", "follow:0")] >= 0
    assert found["traptor_stream_connects_total", ("a", "stream")] == 1


def test_openings_are_counted_by_what_came_of_them(world: SteppedWorld) -> None:
    g = world.start(world.connection("track:0", "storm"))
    world.refused(g, 503)
    world.after(20)
    world.ended(g, DisconnectKind.NETWORK)
    found = scraped(shown(world))
    name = "traptor_stream_connects_total"
    assert {labels[1]: n for (one, labels), n in found.items() if one == name} == {"http": 1, "network": 1}


def test_keys_redis_rules_and_reload(world: SteppedWorld) -> None:
    status = shown(
        world,
        groups=[group("track:0", suspect=True)],
        redis={**WORKS, RedisUse.GAP_MIRROR: UseState(RedisState.AWAY, 1.0, "gone")},
        reload=ReloadOutcome(1.0, refused=("no",)),
    )
    status["reloads"] = {"refused": 2}
    found = scraped(status)
    assert found["traptor_keys", ("OK",)] == 2
    assert found["traptor_keys_spare", ()] == 2
    assert found["traptor_key_state", ("a", "OK")] == 1
    assert found["traptor_key_state", ("a", "QUARANTINED")] == 0
    assert found["traptor_key_budget_left", ("a",)] == 5
    assert found["traptor_redis_ok", ("gap_mirror",)] == 0
    assert found["traptor_redis_ok", ("rules",)] == 1
    assert found["traptor_groups_suspect", ()] == 1
    assert found["traptor_reload_refused", ()] == 1
    assert found["traptor_reloads_total", ("refused",)] == 2
    assert found["traptor_reloads_total", ("applied",)] == 0
    assert found["process_open_fds", ()] > 0


def test_what_x_bills_to_an_app(world: SteppedWorld) -> None:
    app = {
        "key": "a1", "waiting": 3, "hold": None, "rejected_by_type": {"track": 2},
        "filters": {"standing": 9, "foreign": 1, "free": 90},
        "today": {"dollars": 1.5, "posts": 300}, "month": {"dollars": 20.0, "posts": 4000},
        "caps": [{"cap": "daily_dollars", "percent": 75.0}],
    }  # fmt: skip
    found = scraped({**shown(world), "apps": [app]})
    assert found["traptor_app_dollars_today", ("a1",)] == 1.5
    assert found["traptor_app_dollars_month", ("a1",)] == 20.0
    assert found["traptor_app_cap_used_ratio", ("daily_dollars", "a1")] == 0.75
    assert found["traptor_app_filters", ("a1", "free")] == 90
    assert found["traptor_app_rules_waiting", ("a1",)] == 3
    assert found["traptor_rules_rejected", ("track",)] == 2


def test_no_counter_falls_though_the_status_does_and_what_is_gone_is_forgotten(world: SteppedWorld) -> None:
    c = world.connection("track:0", "storm")
    world.stream(c)
    status = shown(world)
    [shown_c] = status["connections"]
    exposition = Exposition()
    name = ("traptor_streaming_seconds_total", ("track:0",))
    seen = []
    for seconds in (50.0, 45.0, 48.0, 51.0):
        shown_c["streaming_seconds"] = seconds
        seen.append(values(exposition.text({**status}))[name])
    assert seen == [50.0, 50.0, 50.0, 51.0]
    status["connections"] = []
    assert name not in values(exposition.text({**status}))
    status["connections"] = [shown_c]
    shown_c["streaming_seconds"] = 1.0
    assert values(exposition.text({**status}))[name] == 1.0


def test_one_status_has_one_text_however_often_it_is_asked_for(world: SteppedWorld) -> None:
    exposition, status = Exposition(), shown(world)
    first = exposition.text(status)
    assert exposition.text(status) is first
    assert exposition.text({**status, "log_lost": 7}) != first


def test_counters_go_on_over_generations(world: SteppedWorld) -> None:
    c = world.connection("track:0", "storm")
    for total in (5, 10):
        g = world.stream(c)
        g.last_report = reported(g, received=5)
        assert scraped(shown(world))["traptor_tweets_received_total", ("track:0",)] == total
        world.gone(g)
        assert scraped(shown(world))["traptor_tweets_received_total", ("track:0",)] == total
        world.after(100)


def test_a_trial_is_counted_by_what_became_of_its_posts(world: SteppedWorld) -> None:
    c = world.connection("track:0", "storm")
    g = world.stream(c)
    assert not [name for name, _ in scraped(shown(world)) if "trial" in name]
    g.last_report = reported(g, trial={"delivered": 5, "dropped": 2})
    trial = {"name": "old", "state": "failing", "error": "gone", "messages": 4, "bytes": 1, "oldest": None}
    found = scraped({**shown(world), "trial": trial})
    assert found["traptor_trial_messages_total", ("track:0", "delivered")] == 5
    assert found["traptor_trial_messages_total", ("track:0", "dropped")] == 2
    assert found["traptor_trial_outbox_messages", ()] == 4
    assert found["traptor_trial_ok", ()] == 0


def test_the_time_until_delivery_is_a_histogram_that_goes_on_over_generations(world: SteppedWorld) -> None:
    c = world.connection("track:0", "storm")
    name = "traptor_delivery_latency_seconds"
    for rounds in (1, 2):
        g = world.stream(c)
        g.last_report = reported(g, latency={"0.1": 7, "2.5": 2, "inf": 1}, latency_ms=400_500)
        found = scraped(shown(world))
        buckets = [found[f"{name}_bucket", ("track:0", le)] for le in ("0.1", "1.0", "2.5", "300.0", "+Inf")]
        assert buckets == [7 * rounds, 7 * rounds, 9 * rounds, 9 * rounds, 10 * rounds]
        assert found[f"{name}_count", ("track:0",)] == 10 * rounds
        assert found[f"{name}_sum", ("track:0",)] == 400.5 * rounds
        world.gone(g)
        world.after(100)


def reported(g: Any, **counts: Any) -> Report:
    return Report(
        at=g.born_at + 1, activity=Activity.READING, activity_since=g.born_at, last_byte_at=g.born_at,
        safe_until=g.born_at, backlog=0, outbox_bytes=0, counters=Counters(**counts),
    )  # fmt: skip


def test_names_have_the_prefix_and_labels_are_never_of_rules(world: SteppedWorld) -> None:
    world.stream(world.connection("track:0", "storm"))
    for family in text_string_to_metric_families(Exposition().text(shown(world)).decode()):
        assert re.fullmatch(r"(traptor|process)_[a-z_]+", family.name)
        assert family.documentation.endswith(".") or family.name.startswith("process_")
        for sample in family.samples:
            assert not set(sample.labels) & {"rule", "rule_id", "job", "instance"}


def test_gaps_that_are_filled(world: SteppedWorld) -> None:
    fills = {
        "states": {"waiting": 1, "running": 0, "done": 7, "given_up": 2},
        "posts": 41,
        "connections": [{"connection": "v2:app", "open": 1, "dollars_today": 0.21}],
    }
    found = scraped({**shown(world), "fills": fills})
    assert found["traptor_gap_fills_total", ("done",)] == 7
    assert found["traptor_gap_fills_total", ("given_up",)] == 2
    assert found["traptor_gap_fill_posts_total", ()] == 41
    assert found["traptor_gap_fills_open", ("v2:app",)] == 1
    assert found["traptor_gap_fills_dollars_today", ("v2:app",)] == 0.21


def test_a_connection_is_covered_while_the_other_one_of_its_app_collects(world: SteppedWorld) -> None:
    status = shown(world)
    away = {**shown_of_an_app(world), "connection": "v2:app.2", "collecting": False, "covered": True}
    first = {**away, "connection": "v2:app", "collecting": True, "covered": False}
    covered = scraped({**status, "connections": [first, away]})
    assert covered["traptor_stream_covered", ("v2:app.2",)] == 1
    assert covered["traptor_stream_covered", ("v2:app",)] == 0
    without_filters = scraped({**status, "connections": [{**first, "collecting": False}, away]})
    assert without_filters["traptor_stream_covered", ("v2:app.2",)] == 0, "it streams, and finds nothing"


def shown_of_an_app(world: SteppedWorld) -> Any:
    world.stream(world.connection("track:0", "storm"))
    [one] = shown(world)["connections"]
    return one
