"""The members of a key, and how each is read from its text.

The ValueErrors never repeat the text: it may be a misplaced secret.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.common.config.kinds.kinds import read_list
from traptor.common.config.kinds.quantities import read_count
from traptor.common.config.kinds.urls import read_proxy_url

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SECRET = re.compile(r"[!-~]+")
_QUOTES = re.compile("[\"'`]")
_PLACEHOLDER = re.compile(
    r"(add|enter|fill|insert|my|paste|put|set|the|type|use|write)[ _-].*|(.*[ _-])?your[ _-].*|.*[ _-]here"
    r"|change[ _-]?(me|it)|replace[ _-]?(me|it|with.*)|[x-]{3,}|\.{3,}|\*+|<.*>|\[.*\]|\{.*\}|\$\w+|%\w+%"
    r"|(consumer|api|access|bearer)?[ _-]?(key|secret|token)([ _-]secret)?"
    r"|to[ _-]?do|tbd|n/?a|none|null|example|dummy",
    re.IGNORECASE,
)
_MOST_CONNECTIONS = 50


def _read_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("a key's name must be made of A-Z a-z 0-9 _ -")
    return text


def _read_secret(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    if _QUOTES.search(text):
        raise ValueError(
            "has a quotation mark, which no credential contains; write the credential without quotes"
        )
    if _PLACEHOLDER.fullmatch(text):
        raise ValueError("is a placeholder; write the credential itself")
    if not _SECRET.fullmatch(text):
        raise ValueError("has a space, a line end or a character outside ASCII, which no credential contains")
    return text


def _read_address(text: str) -> str | None:
    if not text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError("must be an IP address of this host, such as 192.0.2.7") from None
    if address.is_multicast or address.is_unspecified:
        raise ValueError("must be the IP address of one interface of this host")
    return str(address)


def _read_proxy(text: str) -> str | None:
    return read_proxy_url(text) if text else None


def _read_connections(text: str) -> int:
    count = read_count(text)
    if not 1 <= count <= _MOST_CONNECTIONS:
        raise ValueError(f"must be from 1 to {_MOST_CONNECTIONS}")
    return count


def _read_groups(text: str) -> GroupFilter:
    return GroupFilter.parse(read_list(text))


Secret = Annotated[str, BeforeValidator(_read_secret), Field(repr=False)]


class KeyMembers(BaseModel):
    """The given members of a key; missing ones count as unset (`model_fields_set`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, BeforeValidator(_read_name)] = ""
    consumer_key: Secret = ""
    consumer_secret: Secret = ""
    access_token: Secret = ""
    access_token_secret: Secret = ""
    bearer_token: Secret = ""
    source_address: Annotated[str | None, BeforeValidator(_read_address)] = None
    proxy: Annotated[str | None, BeforeValidator(_read_proxy), Field(repr=False)] = None
    max_connections: Annotated[int, BeforeValidator(_read_connections)] = 1
    groups: Annotated[GroupFilter | None, BeforeValidator(_read_groups)] = None
