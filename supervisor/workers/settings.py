"""Select the settings that a worker is born with."""

from __future__ import annotations

from traptor.common.birth import KafkaSettings, OutboxSettings, WorkerSettings
from traptor.common.config.kinds.kinds import ENVIRONMENT, KAFKA
from traptor.common.config.kinds.v2 import ALL, MARK, NATIVE, V2
from traptor.common.config.settings import Settings
from traptor.supervisor.xapi.expansions import stream_query


def worker_settings(settings: Settings) -> WorkerSettings:
    """Return the settings half of a spec; a change in it refreshes every connection."""
    is_v2 = settings.traptor.api == V2
    return WorkerSettings(
        api=settings.traptor.api,
        output=settings.traptor.output,
        other_messages=settings.traptor.other_messages,
        stream_url=settings.twitter.api_url if is_v2 else settings.twitter.stream_url,
        stream_query=stream_query(settings.traptor.expand) if is_v2 else (),
        payload=settings.traptor.payload if is_v2 else NATIVE,
        edits=settings.traptor.edits if is_v2 else ALL,
        trial=settings.traptor.output_trial if is_v2 else "",
        repeated=settings.traptor.repeated if is_v2 else MARK,
        connect_timeout_s=settings.twitter.connect_timeout,
        stall_timeout_s=settings.twitter.stall_timeout,
        redis_url=settings.redis.url,
        redis_timeout_s=settings.redis.timeout,
        redis_ca_file=settings.redis.ca_file,
        stats=settings.redis.stats,
        log_dir=settings.supervisor.log_dir,
        log_level=settings.logging.level,
        log_format=settings.logging.format,
        outbox=OutboxSettings(
            state_dir=settings.supervisor.state_dir,
            max_bytes=settings.supervisor.outbox_max_bytes,
            synced=settings.supervisor.outbox_durability == "host",
            confirm_timeout_s=settings.supervisor.confirm_timeout,
        ),
        kafka=_kafka_settings(settings) if settings.traptor.output == KAFKA else None,
        extras=settings.traptor.extras,
        rate_limits=settings.traptor.rate_limit.rows,
        stream_ca_file=settings.twitter.stream_ca_file,
        proxy_of_environment=settings.twitter.proxy == ENVIRONMENT,
    )


def _kafka_settings(settings: Settings) -> KafkaSettings:
    kafka = settings.kafka
    return KafkaSettings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic=kafka.topic,
        create_topic=kafka.create_topic,
        library=kafka.library,
        secrets=kafka.secrets,
        dead_letter_dir=settings.supervisor.state_dir / "dead-letters",
    )
