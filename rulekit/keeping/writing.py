"""Write changes of groups: each in one step, with its revision, its history and its hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import redis
from redis.client import Pipeline
from redis.exceptions import WatchError

from traptor.common.errors import TraptorError
from traptor.common.redis.client import REDIS_ERRORS, unavailable
from traptor.common.rules.revision import revision_key
from traptor.common.rules.rule import GroupId
from traptor.rulekit.changes.change import GroupChange, RuleChange
from traptor.rulekit.keeping.history import MOST_ENTRIES, Signature, entry_fields, history_key
from traptor.rulekit.keeping.lock import LoaderLock
from traptor.rulekit.keeping.reading import Progress, quiet, read_revisions


class ChangedMeanwhile(TraptorError):
    """A group was changed by somebody else between reading and writing."""


class ForeignKey(TraptorError):
    """A key that this program keeps holds a value of another kind."""


class LoadInterrupted(TraptorError):
    """Redis went away in the middle; the message says what is written and how to go on."""


class GroupWriter:
    """Writes groups under the lock of their type. `client` must not decode replies."""

    def __init__(self, client: redis.Redis, channel: str, lock: LoaderLock, signature: Signature) -> None:
        self._client = client
        self._channel = channel
        self._lock = lock
        self._signature = signature
        self._groups: Sequence[GroupId] = ()  # of all steps

    def write_all(
        self,
        steps: Sequence[Sequence[GroupChange]],
        revisions: Mapping[GroupId, bytes | None],
        progress: Progress = quiet,
    ) -> None:
        """Write each step in one go. Raises LoadInterrupted, ChangedMeanwhile and LockedByAnother."""
        self._groups = [change.group for step in steps for change in step]
        total = sum(len(change.rules) for step in steps for change in step)
        written: list[GroupId] = []
        count = 0
        for step in steps:
            try:
                self._lock.renew()
                self._write(step, revisions)
            except REDIS_ERRORS as error:
                why = unavailable(self._client, error)
                raise LoadInterrupted(_how_to_go_on(written, step, str(why))) from error
            written += [change.group for change in step]
            count += sum(len(change.rules) for change in step)
            progress(count, total)

    def _write(self, step: Sequence[GroupChange], revisions: Mapping[GroupId, bytes | None]) -> None:
        groups = [change.group for change in step]
        with self._client.pipeline(transaction=True) as pipeline:
            watched = (self._lock.key, *(revision_key(group) for group in groups))
            pipeline.watch(*watched)  # type: ignore[no-untyped-call]  # redis-py has no types here
            self._check(groups, revisions)
            self._check_kinds(groups)
            pipeline.multi()
            for change in step:
                self._put(pipeline, change, groups)
            try:
                pipeline.execute()
            except WatchError:
                self._check(groups, revisions)
                raise self._lock.lost() from None

    def _check(self, groups: Sequence[GroupId], revisions: Mapping[GroupId, bytes | None]) -> None:
        if self._client.get(self._lock.key) != self._lock.token.encode():
            raise self._lock.lost()
        for group, revision in read_revisions(self._client, groups).items():
            if revision != revisions.get(group):
                raise ChangedMeanwhile(
                    f"{group} was changed by somebody else meanwhile and was left as it is:"
                    " run the command again"
                )

    def _check_kinds(self, groups: Sequence[GroupId]) -> None:
        """Refuse keys of ours that hold something else: in a MULTI the rest would be written all the same."""
        for group in groups:
            for key, wanted in ((revision_key(group), b"string"), (history_key(group), b"stream")):
                found = self._client.type(key)
                assert isinstance(found, bytes)
                if found not in (b"none", wanted):
                    raise ForeignKey(
                        f"the key {key} is a {found.decode()} and not a {wanted.decode()} of Traptor's:"
                        f" nothing of {group} was written; remove it (redis-cli DEL {key}), and run the"
                        " command again"
                    )

    def _put(self, pipeline: Pipeline, change: GroupChange, together: Sequence[GroupId]) -> None:
        for rule in change.rules:
            _put_rule(pipeline, rule)
        pipeline.incr(revision_key(change.group))
        pipeline.execute_command(  # type: ignore[no-untyped-call]  # redis-py has no types here
            *("XADD", history_key(change.group), "MAXLEN", "~", MOST_ENTRIES, "*"),
            *entry_fields(change, self._groups, together, self._signature),
        )
        pipeline.publish(self._channel, str(change.group))


def _put_rule(pipeline: Pipeline, rule: RuleChange) -> None:
    if rule.before is not None:
        pipeline.delete(rule.key)
    if rule.after is not None:
        # Its own method takes twice as long.
        parts = chain.from_iterable(rule.after.items())
        pipeline.execute_command("HSET", rule.key, *parts)  # type: ignore[no-untyped-call]  # see above


def _how_to_go_on(written: Sequence[GroupId], step: Sequence[GroupChange], why: str) -> str:
    names = ", ".join(str(change.group) for change in step)
    done = (
        f"{len(written)} groups are written (the last is {written[-1]})" if written else "no group is written"
    )
    return (
        f"{why}. {done}; whether {names} is, is not known, but it is written whole or not at all."
        " Run the same command again when Redis is back: what is there already is left alone"
    )
