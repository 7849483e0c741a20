"""Kafka, where tweets may go."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ConfigDict

from traptor.common.config.kinds.kinds import Brokers, Topic, YesNo
from traptor.common.config.librdkafka import REFUSED
from traptor.common.config.options import Option, option
from traptor.common.config.sections.section import REFRESH, Section


class KafkaSection(Section):
    """Kafka, where tweets go with `output = kafka`."""

    model_config = ConfigDict(extra="allow")  # names with a dot; the reader of sections refuses others

    section = "kafka"
    about = (
        "Kafka, where tweets go with output = kafka. Names with a dot go to librdkafka as they are\n"
        "(security.protocol = SASL_SSL, sasl.username, sasl.password, compression.type, ...)."
    )
    passes_on = True
    refused = REFUSED

    bootstrap_servers: Brokers = option(
        "",
        REFRESH,
        "Some brokers of the cluster, from which the others are found; must be set if output is kafka.",
    )
    topic: Topic = option("traptor", REFRESH, "Topic that tweets go to.")
    create_topic: YesNo = option(
        "no",
        REFRESH,
        "Whether a missing topic is created, with the brokers' default numbers of partitions and replicas. "
        "With `no`, nothing starts until the topic exists.",
    )

    @property
    def library(self) -> tuple[tuple[str, str], ...]:
        """The options passed to librdkafka unchanged, by name."""
        return tuple(sorted((self.model_extra or {}).items()))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values among them that must not appear in logs."""
        return tuple(v for key, v in self.library if Option.of_library(self.section, key).is_secret)

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        yield from ((key, getattr(self, key)) for key in type(self).model_fields)
