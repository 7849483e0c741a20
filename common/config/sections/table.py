"""All options."""

from __future__ import annotations

from traptor.common.config.options import Option
from traptor.common.config.sections.http import HttpSection
from traptor.common.config.sections.kafka import KafkaSection
from traptor.common.config.sections.keys import KeysSection
from traptor.common.config.sections.logs import LoggingSection
from traptor.common.config.sections.redis import RedisSection
from traptor.common.config.sections.section import Section
from traptor.common.config.sections.supervisor import SupervisorSection
from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.config.sections.twitter import TwitterSection

SECTIONS: tuple[type[Section], ...] = (
    TraptorSection,
    SupervisorSection,
    RedisSection,
    TwitterSection,
    KafkaSection,
    HttpSection,
    LoggingSection,
    KeysSection,
)

OPTIONS: tuple[Option, ...] = tuple(row for section in SECTIONS for row in section.options())
