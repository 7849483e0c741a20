"""All settings of one supervisor, read once from the ini and the files that it names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from traptor.common.config.apis import (
    require_expand,
    require_keys_for_edits,
    require_place_for_trial,
    warn_of_idle_options,
)
from traptor.common.config.delivery import require_brokers, require_time_to_confirm
from traptor.common.config.keys.checks import KeyNeeds
from traptor.common.config.keys.key import ApiKey
from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.common.config.kinds.urls import is_loopback, is_readable_on_the_way, url_secrets
from traptor.common.config.kinds.v2 import V1, V2
from traptor.common.config.options import OnReload, Option
from traptor.common.config.reader import SettingsReader
from traptor.common.config.report import Position
from traptor.common.config.sections.http import HttpSection
from traptor.common.config.sections.kafka import KafkaSection
from traptor.common.config.sections.keys import KeysSection
from traptor.common.config.sections.logs import LoggingSection
from traptor.common.config.sections.redis import RedisSection
from traptor.common.config.sections.section import Section
from traptor.common.config.sections.supervisor import SupervisorSection
from traptor.common.config.sections.table import OPTIONS
from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.config.sections.twitter import API_URL, STREAM_URL, TwitterSection
from traptor.common.errors import ConfigError

__all__ = ["Changes", "GroupFilter", "Sections", "Settings", "load_sections", "load_settings"]


@dataclass(frozen=True, slots=True)
class Changes:
    """The options that differ between two settings, by what a reload does with them."""

    live: tuple[Option, ...] = ()
    refresh: tuple[Option, ...] = ()
    restart: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Validated settings: `settings.<section>.<option>`; seconds, bytes, absolute paths.

    `watched` lists the files whose change requests a reload; `warnings` are sentences for the operator.
    """

    path: Path
    traptor: TraptorSection
    supervisor: SupervisorSection
    redis: RedisSection
    twitter: TwitterSection
    kafka: KafkaSection
    http: HttpSection
    logging: LoggingSection
    key_options: KeysSection
    keys: tuple[ApiKey, ...]
    watched: tuple[Path, ...]
    warnings: tuple[str, ...]

    @property
    def key_file(self) -> Path | None:
        """The YAML file with keys, or None."""
        return self.key_options.file

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that must not appear in logs."""
        of_keys = (secret for key in self.keys for secret in key.secrets)
        of_options = [*self.http.names_by_token, *filter(None, [self.logging.sentry_dsn])]
        return tuple(
            dict.fromkeys((*of_keys, *url_secrets(self.redis.url), *self.kafka.secrets, *of_options))
        )

    def changes(self, other: Settings) -> Changes:
        """Return the options that differ in another settings; the pool compares keys itself."""
        changed = [option for option in OPTIONS if self._value(option) != other._value(option)]
        passed_on = {key for key, _ in {*self.kafka.library} ^ {*other.kafka.library}}
        changed += [Option.of_library(KafkaSection.section, key) for key in sorted(passed_on)]
        by_reload = {reload: tuple(o for o in changed if o.reload is reload) for reload in OnReload}
        return Changes(by_reload[OnReload.LIVE], by_reload[OnReload.REFRESH], by_reload[OnReload.RESTART])

    def keeping_what_needs_a_restart(self, running: Settings) -> Settings:
        """Return these settings with the running supervisor's value of each option that needs a restart.

        With another API, the keys and the options of [twitter] were checked for that one, and are kept too.
        """
        sections: dict[str, object] = {name: self._kept(name, running) for name in _ATTRIBUTES.values()}
        if self.traptor.api != running.traptor.api:
            sections |= {"twitter": running.twitter, "keys": running.keys}
        return replace(self, **sections)  # type: ignore[arg-type] # each is of its own attribute's class

    def _kept(self, attribute: str, running: Settings) -> Section:
        section: Section = getattr(self, attribute)
        kept = [option.key for option in section.options() if option.reload is OnReload.RESTART]
        return section.model_copy(update={key: getattr(getattr(running, attribute), key) for key in kept})

    def _value(self, option: Option) -> object:
        return getattr(getattr(self, _ATTRIBUTES[option.section]), option.key)


@dataclass(frozen=True, slots=True)
class _Server:
    option: str
    url: str
    keep_alive_s: int  # "Connecting to a streaming endpoint", stalls


_SERVERS = {V1: _Server("stream_url", STREAM_URL, 30), V2: _Server("api_url", API_URL, 20)}

_ATTRIBUTES = {
    TraptorSection.section: "traptor",
    SupervisorSection.section: "supervisor",
    RedisSection.section: "redis",
    TwitterSection.section: "twitter",
    KafkaSection.section: "kafka",
    HttpSection.section: "http",
    LoggingSection.section: "logging",
    KeysSection.section: "key_options",
}


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings read from an ini; `environ` resolves `${VAR}` (default: the process's environment).

    Raises ConfigError with every problem of the ini and the key file.
    """
    reader = SettingsReader(path, os.environ if environ is None else environ)
    traptor = reader.section(TraptorSection)
    supervisor = reader.section(SupervisorSection)
    redis = reader.section(RedisSection)
    twitter = reader.section(TwitterSection)
    kafka = reader.section(KafkaSection)
    http = reader.section(HttpSection)
    logging = reader.section(LoggingSection)
    key_options = reader.section(KeysSection)
    needs = KeyNeeds(reader.api) if traptor is None else _key_needs(reader, traptor)
    keys = reader.keys(key_options.file if key_options else None, needs)
    if traptor is not None and kafka is not None:
        require_brokers(reader, traptor, kafka)
        if supervisor is not None:
            require_time_to_confirm(reader, traptor, supervisor, kafka)
    if traptor is not None:
        require_expand(reader, traptor)
        require_keys_for_edits(reader, traptor)
        require_place_for_trial(reader, traptor, kafka.topic if kafka is not None else "")
    reader.finish()
    assert traptor is not None
    assert supervisor is not None
    assert redis is not None
    assert twitter is not None
    assert kafka is not None
    assert http is not None
    assert logging is not None
    assert key_options is not None
    _warn_of_doubts(reader, traptor, supervisor, twitter, keys)
    warn_of_idle_options(reader, traptor.api)
    _warn_of_listening(reader, http)
    return Settings(
        path=reader.path,
        traptor=traptor,
        supervisor=supervisor,
        redis=redis,
        twitter=twitter,
        kafka=kafka,
        http=http,
        logging=logging,
        key_options=key_options,
        keys=keys,
        watched=reader.watched,
        warnings=reader.report.warnings,
    )


def _key_needs(reader: SettingsReader, traptor: TraptorSection) -> KeyNeeds:
    return KeyNeeds(traptor.api, traptor.groups, reader.place(TraptorSection.section, "groups"))


@dataclass(frozen=True, slots=True)
class Sections:
    """The usable sections of an ini that may be wrong elsewhere; None for a section that is itself wrong."""

    traptor: TraptorSection | None = None
    supervisor: SupervisorSection | None = None
    redis: RedisSection | None = None
    twitter: TwitterSection | None = None


def load_sections(path: Path, environ: Mapping[str, str] | None = None) -> Sections:
    """Return sections of an ini as far as they are valid; no key is read."""
    try:
        reader = SettingsReader(path, os.environ if environ is None else environ)
    except ConfigError:
        return Sections()
    return Sections(
        reader.section(TraptorSection),
        reader.section(SupervisorSection),
        reader.section(RedisSection),
        reader.section(TwitterSection),
    )


def _warn_of_doubts(
    reader: SettingsReader,
    traptor: TraptorSection,
    supervisor: SupervisorSection,
    twitter: TwitterSection,
    keys: tuple[ApiKey, ...],
) -> None:
    if not keys:
        reader.report.warn(
            Position(str(reader.path)),
            "has no usable key, nor has its key file: nothing is collected until there is one,"
            " in a [key:NAME] section or in the file that [keys] file names",
        )
    server = _SERVERS[traptor.api]
    url = getattr(twitter, server.option)
    if twitter.stall_timeout <= server.keep_alive_s and url == server.url:
        reader.report.warn(
            reader.place(TwitterSection.section, "stall_timeout"),
            f"would end streams that are merely quiet: a keep-alive comes every {server.keep_alive_s} s",
        )
    if is_readable_on_the_way(url):
        reader.report.warn(
            reader.place(TwitterSection.section, server.option),
            "is http:// and leads to another host: anyone on the way can read what is collected and the"
            " signed requests; write https:// where the server has it",
        )
    if traptor.output == "jsonl:-" and supervisor.log_dir is None:
        reader.report.warn(
            reader.place(SupervisorSection.section, "log_dir"),
            "is stdout, and so is [traptor] output: readers get log lines between the tweets",
        )


def _warn_of_listening(reader: SettingsReader, http: HttpSection) -> None:
    if http.address is not None and not is_loopback(http.address[0]):
        reader.report.warn(
            reader.place(HttpSection.section, "listen"),
            "other hosts can reach it, read the status, and read the token on the way; better listen on"
            " 127.0.0.1, behind a proxy with TLS",
        )
