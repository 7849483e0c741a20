"""Check the options of Kafka against those of other sections."""

from __future__ import annotations

from traptor.common.config.kinds.kinds import KAFKA
from traptor.common.config.reader import SettingsReader
from traptor.common.config.sections.kafka import KafkaSection
from traptor.common.config.sections.supervisor import SupervisorSection
from traptor.common.config.sections.traptor import TraptorSection

# librdkafka's option and its alias. Where both are set, the alias is in force: it is handed on later.
_TIMEOUTS = ("delivery.timeout.ms", "message.timeout.ms")


def require_brokers(reader: SettingsReader, traptor: TraptorSection, kafka: KafkaSection) -> None:
    """Report an output to Kafka without an address."""
    if traptor.output == KAFKA and not kafka.bootstrap_servers:
        reader.report.problem(
            reader.place(KafkaSection.section, "bootstrap_servers"),
            "must be set where [traptor] output is kafka, such as `bootstrap_servers = 127.0.0.1:9092`",
        )


def require_time_to_confirm(
    reader: SettingsReader, traptor: TraptorSection, supervisor: SupervisorSection, kafka: KafkaSection
) -> None:
    """Report messages that would expire before it is noticed that Kafka confirms none."""
    library = dict(kafka.library)
    in_force = next((name for name in _TIMEOUTS if name in library), None)
    if traptor.output != KAFKA or in_force is None:
        return  # ours is 0
    least_ms = supervisor.confirm_timeout * 1000
    if 0 < _milliseconds(library[in_force]) <= least_ms:
        other = reader.place(SupervisorSection.section, "confirm_timeout")
        reader.report.problem(
            reader.place(KafkaSection.section, in_force),
            f"messages would expire after {library[in_force]} ms, before it is noticed that Kafka confirms"
            f" none: {other} is {supervisor.confirm_timeout:g} s. Set {in_force} to more than {least_ms:g}"
            " or to 0 (never), or confirm_timeout to less",
        )


def _milliseconds(text: str) -> int:
    """Return the number; 0 for what is none, which --check has librdkafka explain."""
    try:
        return int(text)
    except ValueError:
        return 0
