"""Pipelines for posts that keep every message."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.births import worker_settings
from support.making_posts import packed, single
from support.making_tweets import rule
from support.unwritten import register_in_memory
from traptor.common.birth import Birth
from traptor.worker.delivery.latency import Latency
from traptor.worker.outbox.message import DeliveryCounts, Outgoing
from traptor.worker.postpipeline import PostPipeline
from traptor.worker.seen.claims import Claims
from traptor.worker.seen.register import Billed

STORM, FLOOD = rule("track:0", "1", "storm"), rule("track:b", "2", "flood", "hail")
MEANINGS = (single("11", "track:0", "storm"), packed("12", "track:b", ("flood", "hail")))
NOWHERE = worker_settings(Path(os.devnull))  # no file can be written there
BIRTH = Birth("v2:app", 3, None, (STORM, FLOOD), replace(NOWHERE, api="v2"), filters=MEANINGS)
AS_TWEETS = replace(BIRTH, settings=replace(BIRTH.settings, payload="v1.1"))


class Kept:
    """Keeps every message; no delivery beyond that."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []
        self._register = register_in_memory()
        self.counts = DeliveryCounts()
        self.latency = Latency()
        self._after: Callable[[], object] = lambda: None

    def before_keeping(self, note: Callable[[], object]) -> None:
        self.note = note

    def after_keeping(self, note: Callable[[], object]) -> None:
        self._after = note

    def before_settling(self, note: Callable[[], object]) -> None:
        """Nothing is settled."""

    def open(self) -> None:
        """Nothing is opened."""

    def stream_opened(self) -> None:
        """Nothing is noted."""

    def hand_over(self, messages: Sequence[Outgoing], claims: Claims) -> None:
        self._register.take([claims], lambda _ours: True)
        self.messages += messages
        self._after()

    def settle(self, claims: Claims) -> None:
        self._register.take([claims], lambda _ours: True)

    def seen(self, posts: Sequence[int]) -> list[bool]:
        return self._register.seen(posts)

    def is_billed(self, posts: Sequence[int], at_s: float) -> bool:
        return self._register.is_billed(posts, at_s)

    def bill(
        self,
        posts: Sequence[int],
        included_posts: Sequence[int],
        at_s: float,
        book: Callable[[Billed], object],
    ) -> None:
        self._register.bill(posts, included_posts, at_s, book)

    @property
    def billed(self) -> Billed:
        return self._register.billed


def handled(*lines: bytes, birth: Birth = BIRTH) -> tuple[PostPipeline, list[Outgoing]]:
    kept = Kept()
    pipeline = PostPipeline(birth, kept, None)  # type: ignore[arg-type]
    pipeline.open()
    pipeline.stream_opened()
    pipeline.handle(lines)
    return pipeline, kept.messages


def added(message: Outgoing) -> dict[str, Any]:
    member: dict[str, Any] = json.loads(message.body)["traptor"]
    return member
