"""Pass the timeline's tweets as posts to the apps whose filters match them."""

from __future__ import annotations

import asyncio

from traptor.sandbox.clock import Clock, Instant
from traptor.sandbox.faults.waiting import Waiting
from traptor.sandbox.record import TweetRecord
from traptor.sandbox.tweets.maker import Tweet
from traptor.sandbox.v2.apps.registry import App, Apps
from traptor.sandbox.v2.faults.fault import V2Fault
from traptor.sandbox.v2.faults.kinds import V2FaultKind
from traptor.sandbox.v2.faults.lines import partial_errors
from traptor.sandbox.v2.posts import Matching, Post, read_post
from traptor.sandbox.v2.streams.matches import MatchLog
from traptor.sandbox.v2.streams.slots import Slots
from traptor.sandbox.v2.streams.stream import PostMessage, PostStream


class PostAudience:
    """The v2 readers of the timeline."""

    def __init__(
        self, apps: Apps, slots: Slots, faults: Waiting[V2Fault], matches: MatchLog, clock: Clock
    ) -> None:
        self._apps = apps
        self._slots = slots
        self._faults = faults
        self._matches = matches
        self._clock = clock

    def deliver(self, tweet: Tweet, record: TweetRecord) -> None:
        """Queue a tweet for the streams of every app whose filters in effect match it."""
        now = self._clock()
        apps = [app for app in self._apps.seen() if not app.filters.is_silent(now.mono)]
        post = read_post(tweet) if apps else None
        if post is None:
            return
        for app in apps:
            if matching := app.filters.matching(post.facts, now.mono):
                self._hand_to(app, post, matching, record, now)

    def _hand_to(self, app: App, post: Post, matching: Matching, record: TweetRecord, now: Instant) -> None:
        streams = self._slots.live(app.name)
        taken = [one.record.id for one in streams if self._offer(one, post, matching, record, now)]
        self._matches.add(
            post.id,
            app.name,
            matching,
            now,
            tuple(taken),
            over_rate=bool(streams) and not taken,
            tweet_number=record.number,
        )

    def _offer(
        self, stream: PostStream, post: Post, matching: Matching, record: TweetRecord, now: Instant
    ) -> bool:
        """Queue a post for one stream; return False when the rate leaves no room for it."""
        if not stream.pace.allows(now.mono):
            stream.record.over_rate += 1
            return False
        line = post.line(stream.fields, matching)
        data = line.json
        if self._faults.take_if(stream.app.name, now.mono, _is_partial, most=1):
            data = partial_errors(data)
        message = PostMessage(data + b"\r\n", record, line.reads)
        if stream.lag_s:
            asyncio.get_running_loop().call_later(stream.lag_s, self._queue, stream, message)
        else:
            self._queue(stream, message)
        return True

    def _queue(self, stream: PostStream, message: PostMessage) -> None:
        if not stream.offer(message, self._clock().mono):
            self._slots.cut(stream)


def _is_partial(fault: V2Fault) -> bool:
    return fault.kind is V2FaultKind.PARTIAL_ERRORS
