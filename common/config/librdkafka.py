"""Options of librdkafka that are not allowed in [kafka], each with what to do instead.

Names come from librdkafka's CONFIGURATION.md, plus those that confluent-kafka reserves. Some have no dot and
would be refused anyway; the entry here tells the operator why.
"""

from __future__ import annotations

from typing import Final

_OURS: Final = {
    "bootstrap.servers": "write bootstrap_servers, with a _",
    "metadata.broker.list": "write bootstrap_servers instead",
    "acks": "a message counts as delivered when all in-sync replicas have it; remove it",
    "request.required.acks": "a message counts as delivered when all in-sync replicas have it; remove it",
    "delivery.report.only.error": "a message stays in the outbox until its delivery is reported; remove it",
    "default.topic.config": "write the topic's options by their own names, such as compression.type",
    "enable.gapless.guarantee": "one message that Kafka refuses would stop the producer; remove it",
    "transactional.id": "messages are not sent in transactions; remove it",
    "transaction.timeout.ms": "messages are not sent in transactions; remove it",
    "log.queue": "Traptor takes librdkafka's log itself; remove it",
    "test.mock.num.brokers": "messages would go to a cluster that is not there; remove it",
    "test.mock.broker.rtt": "messages would go to a cluster that is not there; remove it",
}

_CODE: Final = (
    *("background_event_cb", "closesocket_cb", "connect_cb", "consume_cb", "dr_cb", "dr_msg_cb", "error_cb"),
    *("interceptors", "log_cb", "logger", "msg_order_cmp", "oauth_cb", "oauthbearer_token_refresh_cb"),
    *("offset_commit_cb", "on_commit", "on_delivery", "opaque", "open_cb", "partitioner_cb", "rebalance_cb"),
    *("resolve_cb", "socket_cb", "ssl.certificate.verify_cb", "ssl_engine_callback_data", "stats_cb"),
    "throttle_cb",
)

_OF_CONSUMERS: Final = (
    *("allow.auto.create.topics", "auto.commit.enable", "auto.commit.interval.ms", "auto.offset.reset"),
    *("check.crcs", "consume.callback.max.messages", "coordinator.query.interval.ms", "enable.auto.commit"),
    *("enable.auto.offset.store", "enable.partition.eof", "fetch.error.backoff.ms", "fetch.max.bytes"),
    *(
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "fetch.queue.backoff.ms",
        "fetch.wait.max.ms",
        "group.id",
    ),
    *("group.instance.id", "group.protocol", "group.protocol.type", "group.remote.assignor"),
    *("heartbeat.interval.ms", "isolation.level", "max.partition.fetch.bytes", "max.poll.interval.ms"),
    *("offset.store.method", "offset.store.path", "offset.store.sync.interval.ms"),
    *("partition.assignment.strategy", "queued.max.messages.kbytes", "queued.min.messages"),
    "session.timeout.ms",
)

REFUSED: Final[dict[str, str]] = {
    **dict.fromkeys(_CODE, "its value is code, which an ini cannot hold; remove it"),
    **dict.fromkeys(_OF_CONSUMERS, "it is for consumers, and Traptor only sends; remove it"),
    **_OURS,
}
