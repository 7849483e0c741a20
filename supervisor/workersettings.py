"""What the settings mean for connections and their workers."""

from __future__ import annotations

from traptor.common.birth import WorkerSettings
from traptor.common.rules import Limits
from traptor.common.settings import Settings


def worker_settings(settings: Settings) -> WorkerSettings:
    """The half of a generation's spec that is settings; a change in it refreshes every connection."""
    return WorkerSettings(
        api=settings.traptor.api,
        output=settings.traptor.output,
        other_messages=settings.traptor.other_messages,
        stream_url=settings.twitter.stream_url,
        connect_timeout_s=settings.twitter.connect_timeout,
        stall_timeout_s=settings.twitter.stall_timeout,
        redis_url=settings.redis.url,
        redis_timeout_s=settings.redis.timeout,
        stats=settings.redis.stats,
        log_dir=settings.supervisor.log_dir,
        log_level=settings.logging.level,
        log_format=settings.logging.format,
    )


def limits_of(settings: Settings) -> Limits:
    """How many values one connection carries."""
    twitter = settings.twitter
    return Limits(twitter.follow_limit, twitter.track_limit, twitter.locations_limit)
