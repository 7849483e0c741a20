"""What X bills for posts, counted and written down."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.births import worker_settings
from support.gatesink import GateSink
from support.making_posts import post_fields, post_line
from support.postpipelines import BIRTH, Kept, added, handled
from support.unwritten import Unwritten
from support.waiting import DEADLINE_S

from traptor.common.files.fillreads import FillReads, kept_fills
from traptor.common.files.reads import ReadCounts, kept
from traptor.common.fills import OF_BACKFILLS
from traptor.common.messages import Connect, SearchPiece
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.postpipeline import PostPipeline
from traptor.worker.seen.claims import Claims

PIECE = SearchPiece(
    number=1, fill=7, connect=Connect(key_id="k", key_name="k"), query="x", max_results=500,
    start_time="2026-09-23T10:00:00Z", end_time="2026-09-23T10:01:00Z",
)  # fmt: skip


def test_a_post_that_stood_in_includes_before_is_no_repetition() -> None:
    quoted = post_fields("x", id="5")
    quote = post_line(post_fields("y", id="6"), "11", includes={"tweets": [quoted]})
    pipeline, messages = handled(quote, post_line(quoted, "11"))
    assert [added(message).get("repeated") for message in messages] == [None, None]
    assert pipeline.counters(0).reads == {"posts": 1, "included_posts": 1, "included_users": 0}


def test_what_was_read_is_written_down_when_the_delivery_says_so(tmp_path: Path) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    delivery = Kept()
    pipeline = PostPipeline(birth, delivery, None)  # type: ignore[arg-type]
    pipeline.open()
    state_dir = birth.settings.outbox.state_dir
    delivery.note()
    assert kept(state_dir, "v2:app", 3) is None, "nothing was read"
    pipeline.handle([post_line(post_fields(id="1"), "of somebody else")])
    pipeline.handle([post_line(post_fields(id="2"), "11")])
    delivery.note()
    found = kept(state_dir, "v2:app", 3)
    assert found is not None
    assert found.counts == ReadCounts(posts=2, foreign=1)


def test_what_was_delivered_and_read_for_each_gap_is_written_down_too(tmp_path: Path) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    delivery = Kept()
    pipeline = PostPipeline(birth, delivery, None)  # type: ignore[arg-type]
    pipeline.open()
    pipeline.paid(7, ["1", "2"], ["3"], 4)
    for number in ("1", "2"):
        pipeline.take_found(PIECE, b'{"data":%b}' % json.dumps(post_fields(id=number)).encode())
    for fill in (8, 9):
        users = {"users": [{"id": "1"}]}
        pipeline.take_recovered(fill, post_line(post_fields(id="5"), "11", includes=users))
    delivery.note()
    found = kept_fills(birth.settings.outbox.state_dir, "v2:app", 3)
    assert found is not None
    assert found.totals == {
        7: FillReads(new=2, posts=2, included_posts=1, included_users=4),
        8: FillReads(new=1, posts=1, included_users=1),
        9: FillReads(included_users=1),  # delivered, and billed, for the other
    }


def test_a_post_counts_for_its_gap_once_it_is_kept_and_as_read_before(tmp_path: Path) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    delivery = Kept()
    pipeline = PostPipeline(birth, delivery, None)  # type: ignore[arg-type]
    pipeline.open()
    written = []
    for number in ("5", "6"):
        pipeline.take_recovered(8, post_line(post_fields(id=number), "11"))
        written.append(kept_fills(birth.settings.outbox.state_dir, "v2:app", 3))
    delivery.note()
    written.append(kept_fills(birth.settings.outbox.state_dir, "v2:app", 3))
    totals = [found.totals[8] for found in written if found is not None]
    assert totals == [FillReads(posts=1), FillReads(posts=2), FillReads(new=2, posts=2)]


def test_a_post_beyond_a_rate_limit_counts_as_read_and_those_before_it_not_as_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(worker_settings(tmp_path), api="v2", rate_limits=(("track:0", "1 1"),))
    birth = replace(BIRTH, settings=settings)
    pipeline = PostPipeline(birth, Delivery(birth, GateSink()), None)
    written: list[tuple[int, int]] = []
    settle = Delivery.settle

    def look() -> None:
        reads, fills = kept(tmp_path, "v2:app", 3), kept_fills(tmp_path, "v2:app", 3)
        assert reads is not None
        assert fills is not None
        written.append((reads.counts.posts, fills.totals[OF_BACKFILLS].new))

    def settled(delivery: Delivery, claims: Claims) -> None:
        settle(delivery, claims)
        look()

    monkeypatch.setattr(Delivery, "settle", settled)
    pipeline.open()
    pipeline.expect_past(1_288_834_974.657 + 2.0)  # ids begin with milliseconds since then
    pipeline.handle([post_line(post_fields(id=str(ms << 22)), "11") for ms in (1_000, 3_000, 4_000)])
    pipeline.drain(time.monotonic() + DEADLINE_S)
    look()
    assert written == [(2, 0), (3, 1)]


def test_what_is_read_for_a_gap_is_written_down_before_others_hear_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    pipeline = PostPipeline(birth, Kept(), None)  # type: ignore[arg-type]
    pipeline.open()
    told: list[object] = []

    def tell(_words: object, _told: object) -> None:
        state_dir = birth.settings.outbox.state_dir
        reads, fills = kept(state_dir, "v2:app", 3), kept_fills(state_dir, "v2:app", 3)
        told.append((reads and reads.counts, fills and fills.totals))

    monkeypatch.setattr(Unwritten, "append", tell)
    monkeypatch.setattr(Unwritten, "is_open", True)
    pipeline.paid(7, ["1", "2"], ["3"], 4)
    page = FillReads(posts=2, included_posts=1, included_users=4)
    assert told == [(ReadCounts(posts=2, included_posts=1, included_users=4), {7: page})]


def test_reads_that_cannot_be_written_down_are_said_and_stop_no_post(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    birth = replace(BIRTH, settings=replace(worker_settings(tmp_path), api="v2"))
    state_dir = birth.settings.outbox.state_dir
    state_dir.mkdir(exist_ok=True)
    (state_dir / "reads").write_text("no folder")
    delivery = Kept()
    pipeline = PostPipeline(birth, delivery, None)  # type: ignore[arg-type]
    pipeline.open()
    for number in range(1, 4):
        pipeline.handle([post_line(post_fields(id=str(number)), "11")])
        delivery.note()
    assert len(delivery.messages) == 3
    assert caplog.messages.count("what was read cannot be written down") == 1


def test_a_page_is_billed_once_a_day_with_what_came_over_the_stream() -> None:
    pipeline, _ = handled(post_line(post_fields("storm", id="5"), "11"))
    paid = pipeline.paid(7, ["5", "6", "7"], ["8", "6"], 4)
    assert paid == {"posts": 2, "included_posts": 1, "included_users": 4}
    assert pipeline.counters(0).reads == {"posts": 3, "included_posts": 1, "included_users": 4}
