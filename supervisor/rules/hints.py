"""Listen for hints: messages `type:id` on a Redis channel that ask for a look at this group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import redis.asyncio
import redis.exceptions

from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.common.redis.client import REDIS_ERRORS, ask, pubsub_message
from traptor.common.rules.rule import GroupId
from traptor.supervisor.rules.redisuses import Tell

log = logging.getLogger(__name__)

PING_INTERVAL_S = 10.0
_RETRY_S = 0.5
_RETRY_MAX_S = 5.0


class HintListener:
    """Keeps one subscription alive and passes on its messages.

    A subscription can go deaf while the server answers on other connections (redis-py issue 3092), so the
    subscription itself is pinged. Hints missed while it was down are made up for by a look at everything:
    `on_subscribed` is called after each (re)subscription, `on_lost` after each failure.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        channel: str,
        *,
        on_hint: Callable[[GroupId], None],
        on_subscribed: Callable[[], None],
        on_lost: Callable[[], None],
        tell: Tell,
        ping_interval_s: float = PING_INTERVAL_S,
    ) -> None:
        self._client = client
        self._channel = channel
        self._on_hint = on_hint
        self._on_subscribed = on_subscribed
        self._on_lost = on_lost
        self._tell = tell
        self._ping_interval_s = ping_interval_s
        self._retry_s = _RETRY_S
        self._tally = Tally()
        self.malformed = 0

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except REDIS_ERRORS as error:
                self._tell(error)
                self._on_lost()
            await asyncio.sleep(self._retry_s)
            self._retry_s = min(self._retry_s * 2, _RETRY_MAX_S)

    async def _listen(self) -> None:
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(self._channel)
            if await self._next(subscription) != ("subscribe", b""):
                raise redis.exceptions.ConnectionError("the subscription is not confirmed")
            self._begin()
            unanswered = 0
            while unanswered < 2:
                message = await self._next(subscription)
                if message is None:
                    await subscription.ping()
                    unanswered += 1
                else:
                    unanswered = 0
                    self._take(*message)
            raise redis.exceptions.ConnectionError("the subscription does not answer")

    async def _next(self, subscription: redis.asyncio.client.PubSub) -> tuple[str, bytes] | None:
        received = subscription.get_message(timeout=self._ping_interval_s)
        return await ask(self._client, received, pubsub_message, self._ping_interval_s)

    def _begin(self) -> None:
        self._retry_s = _RETRY_S
        self._tell(None)
        log.info("subscribed", extra=fields(channel=self._channel))
        self._on_subscribed()

    def _take(self, kind: str, data: bytes) -> None:
        if kind != "message":
            return
        try:
            group = hinted_group(data.decode())
        except ValueError:  # includes UnicodeDecodeError
            self._count_malformed()
        else:
            self._on_hint(group)

    def _count_malformed(self) -> None:
        self.malformed += 1
        if self._tally.add("malformed"):
            log.warning(
                "messages on the channel are not type:id, ignored",
                extra=fields(channel=self._channel, count=self.malformed),
            )


def hinted_group(text: str) -> GroupId:
    """Return the group that a message names; text after a second colon is ignored.

    Raises ValueError when it names none.
    """
    return GroupId.parse(":".join(text.split(":", 2)[:2]))
