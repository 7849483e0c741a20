"""The kinds of option values: how each is read, and how it is described to people.

Validators receive the text as it stands in the ini. Their ValueErrors never repeat it: the caller knows
whether it may be shown. Relative paths are relative to the ini's folder, which is the context of the
validation.
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.common.config.kinds.quantities import (
    read_count,
    read_duration,
    read_rate,
    read_size,
    read_yes_no,
)
from traptor.common.config.kinds.urls import read_redis_url, read_server_url

WAYS = ("slot", "spare", "overlap", "serial")  # of a refresh, in the order in which they are tried
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
STDOUT = "-"
JSONL = "jsonl:"
KAFKA = "kafka"
ENVIRONMENT = "environment"
LOOPBACK = "127.0.0.1"
_OUTPUT_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CHANNEL = re.compile(r"[!-~]+")
# Kafka, org.apache.kafka.common.internals.Topic
_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_BROKER = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_LISTEN = re.compile(r"(?:(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>[0-9]{1,5})")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,}=*")  # RFC 6750, 2.1
_DSN = re.compile(r"https?://[A-Za-z0-9:]+@[A-Za-z0-9._:\[\]-]+(?:/[A-Za-z0-9._/-]*)?/[0-9]+")
_HOST_NAME = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Describes what the ini may hold for a kind of value; a list may span several lines."""

    text: str
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The smallest allowed value of an option, in its unit."""

    least: float
    shown: str

    def __call__(self, value: float) -> float:
        """Return the value unchanged. Raises ValueError when it is too small."""
        if value < self.least:
            raise ValueError(f"must be at least {self.shown}")
        return value


@dataclass(frozen=True, slots=True)
class IniFolder:
    """The folder of the ini, and the API that it names; the context of a validation."""

    path: Path
    api: str = "v1.1"

    @classmethod
    def of(cls, info: ValidationInfo) -> IniFolder:
        """Return the folder that was passed as the context of a validation."""
        assert isinstance(info.context, cls)
        return info.context


def read_list(text: str) -> tuple[str, ...]:
    """Return the items of a list separated by commas or line ends. Raises ValueError when it is empty."""
    items = tuple(item for item in map(str.strip, re.split(r"[,\n]", text)) if item)
    if not items:
        raise ValueError("names nothing")
    return items


def _path(text: str, info: ValidationInfo) -> Path:
    if not text or "\0" in text:
        raise ValueError("must be a path")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"has a character that this locale has not ({error.encoding}): start it with LC_ALL=C.UTF-8"
        ) from None
    return IniFolder.of(info).path / text


def _log_folder(text: str, info: ValidationInfo) -> Path | None:
    return None if text == STDOUT else _path(text, info)


def _optional_path(text: str, info: ValidationInfo) -> Path | None:
    return _path(text, info) if text else None


def _ca_file(text: str, info: ValidationInfo) -> Path | None:
    path = _optional_path(text, info)
    if path is None:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError("must be a file with certificates in PEM form") from None
    except OSError as error:
        raise ValueError(f"names a file that cannot be read: {error.strerror}") from None
    return path


def _proxy(text: str) -> str:
    if text not in ("none", ENVIRONMENT):
        raise ValueError("must be none or environment; a key's proxy is set in the key's own section")
    return text


def _output(text: str, info: ValidationInfo) -> str:
    if text == KAFKA:
        return text
    if not text.startswith(JSONL) or text == JSONL:
        raise ValueError(
            "must be kafka (with its topic in [kafka]), jsonl:DIR for files in the folder DIR, or jsonl:- "
            "for stdout"
        )
    target = text.removeprefix(JSONL)
    return text if target == STDOUT else f"{JSONL}{_path(target, info)}"


def _other_messages(text: str) -> str:
    if not _OUTPUT_NAME.fullmatch(text):
        raise ValueError("must be topic, drop, or a name made of A-Z a-z 0-9 . _ -")
    return text


def _brokers(text: str) -> str:
    if not text:
        return ""
    brokers = read_list(text)
    for broker in map(_BROKER.fullmatch, brokers):
        if broker is None or not 0 < int(broker["port"] or 1) < 65_536:
            raise ValueError("must be a list of host:port, such as kafka1:9092, kafka2:9092")
    return ",".join(brokers)


def _topic(text: str) -> str:
    if not _TOPIC.fullmatch(text):
        raise ValueError("must be the name of a topic: at most 249 of A-Z a-z 0-9 . _ -")
    return text


def _optional_topic(text: str) -> str:
    return _topic(text) if text else ""


def _handover(text: str) -> tuple[str, ...]:
    items = read_list(text)
    if not set(items) <= set(WAYS):
        raise ValueError(f"may only name {', '.join(WAYS)}")
    return tuple(way for way in WAYS if way in items)


def _channel(text: str) -> str:
    if not _CHANNEL.fullmatch(text):
        raise ValueError("must be the name of a channel: printable ASCII without spaces")
    return text


def _listen(text: str) -> str:
    if not text:
        return ""
    parts = _LISTEN.fullmatch(text)
    if parts is None or not 0 < int(parts["port"]) < 65_536:
        raise ValueError("must be host:port or a port, such as 127.0.0.1:8080 or 8080")
    return f"{parts['host'] or LOOPBACK}:{parts['port']}"


def read_token(text: str) -> str:
    """Return the token. Raises ValueError when it is too short, or has characters that a header cannot."""
    if text and not _TOKEN.fullmatch(text):
        raise ValueError(
            "must have at least 16 characters, of A-Z a-z 0-9 - . _ ~ + / and = (`openssl rand -hex 32` makes"
            " one)"
        )
    return text


def _host_names(text: str) -> tuple[str, ...]:
    names = read_list(text) if text else ()
    if not all(_HOST_NAME.fullmatch(name) for name in names):
        raise ValueError("must be a list of host names, each with its port where that is not the scheme's")
    return tuple(name.lower() for name in names)


def _sentry_dsn(text: str) -> str:
    if text and not _DSN.fullmatch(text):
        raise ValueError("must be the DSN of a Sentry project, such as https://KEY@sentry.example/1")
    if text and find_spec("sentry_sdk") is None:
        raise ValueError("needs the Sentry SDK: pip install 'traptor-supervisor[sentry]'")
    return text


def _level(text: str) -> str:
    if text.upper() not in LEVELS:
        raise ValueError(f"must be {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
    return text.upper()


def _log_format(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("must be text or json")
    return text


def _durability(text: str) -> str:
    if text not in ("process", "host"):
        raise ValueError("must be process or host")
    return text


def _groups(text: str) -> GroupFilter:
    return GroupFilter.parse(read_list(text))


_A_COUNT = Allowed("a whole number")

Groups = Annotated[
    GroupFilter,
    BeforeValidator(_groups),
    Allowed("a list of `type:id`, `type:*` and `*`", is_list=True),
]
Output = Annotated[str, BeforeValidator(_output), Allowed("`kafka`, `jsonl:DIR` or `jsonl:-`")]
OtherMessages = Annotated[str, BeforeValidator(_other_messages), Allowed("`topic`, `drop` or a name")]
Brokers = Annotated[str, BeforeValidator(_brokers), Allowed("a list of `host:port`", is_list=True)]
Topic = Annotated[str, BeforeValidator(_topic), Allowed("a name")]
OptionalTopic = Annotated[str, BeforeValidator(_optional_topic), Allowed("a name, or nothing")]
FolderPath = Annotated[Path, BeforeValidator(_path), Allowed("a folder")]
LogFolder = Annotated[Path | None, BeforeValidator(_log_folder), Allowed("a folder, or `-` for stdout")]
OptionalPath = Annotated[Path | None, BeforeValidator(_optional_path), Allowed("a file, or nothing")]
CaFile = Annotated[
    Path | None, BeforeValidator(_ca_file), Allowed("a file with certificates in PEM form, or nothing")
]
Proxy = Annotated[str, BeforeValidator(_proxy), Allowed("`none` or `environment`")]
Handover = Annotated[
    tuple[str, ...],
    BeforeValidator(_handover),
    Allowed("a list of `slot`, `spare`, `overlap`, `serial`", is_list=True),
]
Durability = Annotated[str, BeforeValidator(_durability), Allowed("`process` or `host`")]
Duration = Annotated[float, BeforeValidator(read_duration), Allowed("a duration")]
Size = Annotated[int, BeforeValidator(read_size), Allowed("a size")]
Count = Annotated[int, BeforeValidator(read_count), AfterValidator(AtLeast(1, "1")), _A_COUNT]
Rate = Annotated[float, BeforeValidator(read_rate), Allowed("a number, such as 2 or 0.5")]
YesNo = Annotated[bool, BeforeValidator(read_yes_no), Allowed("`yes` or `no`")]
RedisUrl = Annotated[
    str, BeforeValidator(read_redis_url), Allowed("`redis://...`, `rediss://...` or `unix://...`")
]
ServerUrl = Annotated[str, BeforeValidator(read_server_url), Allowed("`https://...` or `http://...`")]
Channel = Annotated[str, BeforeValidator(_channel), Allowed("a name")]
Listen = Annotated[str, BeforeValidator(_listen), Allowed("`host:port`, a port, or nothing")]
Token = Annotated[str, BeforeValidator(read_token), Allowed("at least 16 characters, or nothing")]
HostNames = Annotated[
    tuple[str, ...], BeforeValidator(_host_names), Allowed("a list of host names, or nothing", is_list=True)
]
SentryDsn = Annotated[str, BeforeValidator(_sentry_dsn), Allowed("a DSN, or nothing")]
Level = Annotated[str, BeforeValidator(_level), Allowed("`DEBUG`, `INFO`, `WARNING` or `ERROR`")]
LogFormat = Annotated[str, BeforeValidator(_log_format), Allowed("`text` or `json`")]
