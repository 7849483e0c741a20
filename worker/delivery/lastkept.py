"""Find the posts that workers kept before they were killed: in the output, and in their outboxes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from traptor.common.birth import OutboxSettings
from traptor.common.files.mark import read_mark
from traptor.common.files.outboxes import outbox_folder
from traptor.worker.delivery.sink import Sink
from traptor.worker.outbox.outbox import Outbox, OutboxError, OutboxInUse
from traptor.worker.posts.kept import kept_posts, kept_together
from traptor.worker.seen.claims import KeptPost

# The kernel releases what a killed worker had one after the other: its turn, perhaps, before its outbox.
_TRIES = 20
_TRY_PAUSE_S = 0.001


class LastKept:
    """Looks where the workers of one app keep posts."""

    def __init__(self, sink: Sink, settings: OutboxSettings) -> None:
        self._sink = sink
        self._settings = settings

    def in_output(self) -> Sequence[KeptPost]:
        """Return the posts that stand last in the output, where it can be read."""
        return kept_posts(self._sink.last_written(), time.time())

    def in_outbox(self, outbox: Outbox) -> Sequence[KeptPost]:
        """Return the posts of an outbox's newest batch: all others are recorded."""
        mark = read_mark(outbox.folder)
        noted_s = None if mark is None else mark.safe_until_wall
        return kept_together([one.body for one in outbox.newest()], noted_s, time.time())

    def by(self, who: str) -> Sequence[KeptPost]:
        """Return what a worker, `<connection>/<generation>`, may have kept last: all of it if it is dead."""
        return [*self.in_output(), *self._in_outbox_of(who)]

    def _in_outbox_of(self, who: str) -> Sequence[KeptPost]:
        connection, _, generation = who.rpartition("/")
        settings = self._settings
        folder = outbox_folder(settings.state_dir, connection) / generation
        if not generation.isdecimal():
            return ()  # a damaged name
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_TRY_PAUSE_S)
            try:
                outbox = Outbox.adopt(folder, synced=settings.synced, max_bytes=settings.max_bytes)
            except OutboxInUse:
                continue
            except OutboxError:
                break  # whoever adopts it says so
            try:
                return self.in_outbox(outbox)
            finally:
                outbox.close()
        return ()
