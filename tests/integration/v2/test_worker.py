"""A worker under API v2: cases of public reports, against the sandbox's own record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.liveworker import StartWorker, StartX
from support.making_posts import packed, post_fields, repost_of, single
from support.making_tweets import rule
from support.waiting import wait_for
from support.witness import native
from support.xsandbox import TOKEN

from traptor.common.messages import Connected, Disconnected, DisconnectKind, Drained
from traptor.sandbox.v2.faults.kinds import DISCONNECT_TYPES

STORM = rule("track:0", "storm", "storm")


def rules_of(delivered: dict[str, Any]) -> list[str]:
    return [one["rule_id"] for one in delivered["traptor"]["collection_rules"]]


def test_each_announced_disconnect_ends_the_stream_at_once_and_is_named(
    start_x: StartX, start_worker: StartWorker
) -> None:
    x = start_x()
    (ours,) = x.add("storm")
    worker = start_worker(x, [STORM], [single(ours, "track:0", "storm")])
    kinds = [*DISCONNECT_TYPES, "SomethingNew"]
    for number, kind in enumerate(kinds, 1):
        worker.connect()
        x.v2.fault("disconnect", disconnect_type=kind, then="silence" if number % 2 else "close")
        wait_for(lambda told=number: len(worker.said(Disconnected)) == told, "the end of the stream")
    worker.connect()
    x.v2.fault("problem_line", then="silence")
    wait_for(lambda: len(worker.said(Disconnected)) == len(kinds) + 1, "the end of the stream")
    ended = worker.said(Disconnected)
    assert [one.problem for one in ended] == [*kinds, "TooManyConnections"]
    assert {one.kind for one in ended} == {DisconnectKind.SERVER_CLOSE}
    connections = x.v2.connections()
    assert all(one["freed_at"] is not None for one in connections)
    log = (Path(worker.folder) / "v2:app.log").read_text()
    assert log.count("X announces a disconnect") == len(ended)


LONG = post_fields(
    "x " * 100 + "…", id="900000000000000018", author_id="7", note_tweet={"text": "é x " * 999 + "storm"}
)
EDITED = post_fields(
    "storm", id="900000000000000021", edit_history_tweet_ids=["900000000000000020", "900000000000000021"]
)


def test_a_note_its_repost_its_quote_and_an_edited_post_keep_their_bytes(
    start_x: StartX, start_worker: StartWorker
) -> None:
    x = start_x()
    alone, together = x.add("storm", "hail OR wind OR storm")
    other = rule("track:0", "many", "hail", "wind", "storm")
    meanings = [single(alone, "track:0", "storm"), packed(together, "track:0", other.values)]
    worker = start_worker(x, [other], meanings)
    worker.connect()
    quote = post_fields(
        "see", id="900000000000000022", referenced_tweets=[{"type": "quoted", "id": LONG["id"]}]
    )
    expected: list[bytes] = []
    for fields in (LONG, repost_of(LONG), quote, EDITED):
        for filter_id in (alone, together):
            line: dict[str, Any] = {"data": fields, "matching_rules": [{"id": filter_id}]}
            if fields not in (LONG, EDITED):
                line["includes"] = {"tweets": [LONG]}
            expected.append(json.dumps(line, ensure_ascii=False).replace("/", "\\/").encode())
            x.v2.line(expected[-1].decode())
    wait_for(lambda: len(worker.lines) == len(expected), "all posts")
    assert list(map(native, worker.lines)) == expected
    assert list(map(rules_of, worker.delivered)) == [["many"]] * len(expected)


def test_a_post_for_five_filters_comes_once_with_all_their_rules(
    start_x: StartX, start_worker: StartWorker
) -> None:
    x = start_x()
    texts = ["storm", '"storm"', "storm OR hail", "storm OR wind", "storm -flood"]
    ids = x.add(*texts)
    rules = [rule(f"track:{n % 2}", str(n), text) for n, text in enumerate(texts)]
    meanings = [single(key, str(one.group), one.values[0]) for key, one in zip(ids, rules, strict=True)]
    worker = start_worker(x, rules, meanings)
    worker.connect()
    x.client.burst(100, ["storm"])
    matches = list(x.v2.matches())
    wait_for(lambda: worker.report.counters.received == len(matches), "all posts")
    number = {key: str(n) for n, key in enumerate(ids)}
    assert [rules_of(one) for one in worker.delivered] == [
        [number[key] for key in match["filters"]] for match in matches
    ]
    assert any(len(match["filters"]) == 5 for match in matches)
    assert len({one["data"]["id"] for one in worker.delivered}) == len(matches)
    firsts = {one["traptor"]["id_str"] for one in worker.delivered}
    assert firsts <= {0, 1}


def test_rules_change_while_the_stream_stays(start_x: StartX, start_worker: StartWorker) -> None:
    x = start_x()
    (old,) = x.add("storm")
    worker = start_worker(x, [STORM], [single(old, "track:0", "storm")])
    worker.connect()
    x.client.burst(20, ["storm"])
    moved = rule("track:0", "storm", "flood")
    (new,) = x.add("flood")
    worker.change_rules([moved], [single(old, "track:0", "storm"), single(new, "track:0", "flood")])
    for _ in range(5):
        x.client.burst(10, ["storm"])
        x.client.burst(10, ["flood"])
    x.delete([old])
    worker.change_rules([moved], [single(new, "track:0", "flood")])
    x.client.burst(20, ["flood"])
    matches = list(x.v2.matches())
    wait_for(lambda: worker.report.counters.received == len(matches), "all posts")
    counters = worker.report.counters
    assert (counters.matched, counters.unmatched) == (len(matches), 0)
    values = {old: "storm", new: "flood"}
    for match, delivered in zip(matches, worker.delivered, strict=True):
        (one,) = delivered["traptor"]["collection_rules"]
        assert one["value"] in {values[key] for key in match["filters"]}
    seen = [key for report in worker.reports for key in report.seen_filters]
    assert sorted(seen) == sorted([old, new])
    (connection,) = x.v2.connections()
    assert connection["freed_at"] is None
    assert len(worker.said(Connected)) == 1


def test_posts_can_be_delivered_as_tweets_of_v1(start_x: StartX, start_worker: StartWorker) -> None:
    x = start_x()
    (ours,) = x.add("storm")
    worker = start_worker(x, [STORM], [single(ours, "track:0", "storm")], payload="v1.1")
    worker.connect()
    x.client.burst(50, ["storm"])
    matches = list(x.v2.matches())
    wait_for(lambda: worker.report.counters.received == len(matches), "all posts")
    tweets = worker.delivered
    assert [tweet["id_str"] for tweet in tweets] == [match["id"] for match in matches]
    assert all(tweet["user"]["screen_name"] and "data" not in tweet for tweet in tweets)
    assert {tuple(rules_of(tweet)) for tweet in tweets} == {("storm",)}
    assert worker.report.counters.errors.get("not rebuilt", 0) == 0


def test_the_last_report_has_all_that_was_received(start_x: StartX, start_worker: StartWorker) -> None:
    x = start_x()
    (ours,) = x.add("storm")
    worker = start_worker(x, [STORM], [single(ours, "track:0", "storm")])
    worker.connect()
    x.client.burst(300, ["storm"])
    wait_for(lambda: worker.lines, "posts")
    assert worker.end() == 0
    counters = worker.report.counters
    assert counters.received == counters.reads["posts"] == len(worker.lines)
    assert worker.said(Drained)


def test_the_token_is_in_no_log_of_a_worker_at_debug(
    start_x: StartX, start_worker: StartWorker, tmp_path: Path
) -> None:
    x = start_x()
    (ours,) = x.add("storm")
    worker = start_worker(x, [STORM], [single(ours, "track:0", "storm")])
    for problem in ("unauthorized", "too-many-connections"):
        x.v2.fault("status", problem=problem, times=1)
        worker.connect()
    worker.connect()
    x.v2.line(json.dumps({"errors": [{"title": TOKEN, "detail": f"Bearer {TOKEN}", "type": f"x/{TOKEN}"}]}))
    x.v2.line(f"Bearer {TOKEN}")
    wait_for(lambda: worker.report.counters.broken == 1, "the lines")
    wait_for(lambda: "no JSON object" in (tmp_path / "v2:app.log").read_text(), "its log")
    texts = {path: path.read_text(errors="replace") for path in tmp_path.rglob("*.log")}
    assert any("X reports an error in the stream" in text for text in texts.values())
    assert not [path for path, text in texts.items() if TOKEN in text]
