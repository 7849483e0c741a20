"""Tell what became of the options of the original Traptor, as docs/migrating.md does."""

from __future__ import annotations

from typing import Final

SUCCESSORS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (
        ("TRAPTOR_TYPE", "TRAPTOR_ID"),
        "not needed; [traptor] groups, such as track:0, follow:*, to serve only some",
    ),
    (("RULE_CHECK_INTERVAL",), "[supervisor] rules_check_interval, with a unit: 60s"),
    (
        ("RATE_LIMITING_ENABLED", "RATE_LIMITING_RATE_SEC", "RATE_LIMITING_CAPACITY"),
        "[traptor] rate_limit: a line * RATE CAPACITY; no line: off",
    ),
    (("RATE_LIMITING_COST",), "not needed: divide rate and capacity by it, as a match costs 1"),
    (("RATE_LIMITING_REPORTING_INTERVAL_SEC",), "not needed: the log reports once a minute"),
    (
        ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET", "APIKEYS"),
        "[key:NAME] with consumer_key, consumer_secret, access_token, access_token_secret",
    ),
    (("TWITTER_API_URL",), "[twitter] stream_url, for the stream alone"),
    (
        ("TWITTERAPI_RETRY",),
        "not needed: [twitter] network_backoff, http_backoff, rate_limit_backoff",
    ),
    (("REDIS_HOST", "REDIS_PORT", "REDIS_DB"), "[redis] url = redis://HOST:PORT/DB"),
    (("REDIS_PUBSUB_CHANNEL",), "[redis] channel"),
    (("PUBSUB_CHECK_INTERVAL",), "not needed: messages arrive at once"),
    (("HEARTBEAT_INTERVAL",), "[supervisor] heartbeat_interval"),
    (("ENABLE_STATS_COLLECTION",), "[redis] stats (limits too)"),
    (("STATS_COLLECTION_WINDOW", "LIMIT_COUNT_COLLECTION_WINDOW"), "gone: 900 s"),
    (("KAFKA_ENABLED",), "[traptor] output: kafka, jsonl:DIR or jsonl:-"),
    (("KAFKA_HOSTS",), "[kafka] bootstrap_servers"),
    (("KAFKA_TOPIC", "KAFKA_PRODUCER_TOPIC"), "[kafka] topic"),
    (("KAFKA_PRODUCER_BATCH_LINGER_MS",), "linger.ms in [kafka] (20)"),
    (("KAFKA_PRODUCER_BUFFER_KBYTES",), "queue.buffering.max.kbytes in [kafka] (16384, for each worker)"),
    (("KAFKA_SECURITY_PROTOCOL",), "security.protocol in [kafka]"),
    (
        ("KAFKA_API_VERSION_REQUEST", "KAFKA_BROKER_VERSION_FALLBACK"),
        "not needed: brokers report their version from 0.11 on",
    ),
    (("LOG_LEVEL",), "[logging] level (CRITICAL: use ERROR)"),
    (("LOG_JSON",), "[logging] format = json"),
    (("LOG_DIR",), "[supervisor] log_dir"),
    (("LOG_STDOUT",), "[supervisor] log_dir = -"),
    (
        ("LOG_FILE", "LOG_FILE_NAME", "LOG_NAME"),
        "not needed: supervisor.log and <connection>.log",
    ),
    (("LOG_MAX_BYTES", "LOG_BACKUPS"), "[logging] rotate_size and rotate_keep"),
    (("USE_SENTRY", "SENTRY_URL"), "[logging] sentry_dsn"),
    (
        ("DW_ENABLED", "DW_NAME", "DW_LOCAL", "DW_STATSD_HOST", "DW_STATSD_PORT", "STATSD_HOST_IP"),
        "/metrics on [http] listen, for Prometheus",
    ),
    (
        (
            "HEALTHCHECK_TIMEOUT",
            "HEALTHCHECK_REDIS_SLEEP",
            "HEALTHCHECK_KAFKA_SLEEP",
            "HEALTHCHECK_TWITTER_SLEEP",
            "HEARTBEAT_PERIOD",
        ),
        "traptorctl health, or /healthz and /readyz on [http] listen",
    ),
    (("API_PORT",), "[http] listen"),
    (("API_DIR", "API_SPEC", "API_BACKEND"), "gone"),
    (
        ("PROXY_URL", "PROXY_USER", "PROXY_PASSWORD", "PROXY_TIMEOUT"),
        "gone; a proxy for a key is its proxy",
    ),
)
"""Each line: names, and what is in their place, with which the cell of the page begins."""

_NOTHING: Final = ("not needed", "gone")
_BY_NAME: Final = {name: place for names, place in SUCCESSORS for name in names}


def became(name: str) -> str | None:
    """Return what became of an option of the original, in a sentence; None for any other name."""
    original = name.upper()
    place = _BY_NAME.get(original)
    if place is None:
        return None
    is_now = "is" if place.startswith(_NOTHING) else "is now"
    return f"{original} of the original Traptor {is_now} {place}"
