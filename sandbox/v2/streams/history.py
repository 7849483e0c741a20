"""Write posts of the past to a stream: those that its app's filters found when they were made."""

from __future__ import annotations

from collections.abc import Sequence

from traptor.sandbox.archive import Archive
from traptor.sandbox.clock import Clock
from traptor.sandbox.v2.posts import read_post
from traptor.sandbox.v2.streams.matches import Match, MatchLog
from traptor.sandbox.v2.streams.stream import PostMessage, PostStream


class History:
    """The posts that each app's filters found, read or not."""

    def __init__(self, matches: MatchLog, archive: Archive, clock: Clock) -> None:
        self._matches = matches
        self._archive = archive
        self._clock = clock

    def between(self, app: str, start_unix_s: float, end_unix_s: float) -> list[Match]:
        """Return an app's matches from `start` until before `end`, the oldest first."""
        return self._matches.between(app, start_unix_s, end_unix_s)

    async def write(self, stream: PostStream, matches: Sequence[Match], copies: int = 1) -> None:
        """Queue the posts as fast as the client reads; return when all are queued, or at the stream's end."""
        for match in matches:
            message = self._message(match, stream)
            for _ in range(copies if message is not None else 0):
                await stream.room()
                if stream.ending is not None:
                    return
                assert message is not None
                stream.offer(message, self._clock().mono)

    def _message(self, match: Match, stream: PostStream) -> PostMessage | None:
        found = self._archive.get(match.tweet_number)
        post = None if found is None else read_post(found[0])
        if found is None or post is None:
            return None
        line = post.line(stream.fields, match.matching)
        return PostMessage(line.json + b"\r\n", found[1], line.reads)
