"""Ask X only after the price was said and agreed to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from traptor.common.config.keys.key import ApiKey
from traptor.common.errors import TraptorError
from traptor.rulekit.commands.kit import Kit, say
from traptor.rulekit.lookups.question import Asker

yes_option = click.option(
    "--yes", "may_spend", is_flag=True, help="Ask X without asking back about the price."
)
key_option = click.option("--key", "key_name", help="The key whose app asks and pays; by default the first.")


class NotAgreed(TraptorError):
    """Nobody agreed to the price of a question."""


def agree(what: str, dollars: float, *, agreed: bool) -> None:
    """Say what a question costs, and return only if it may be asked. Raises NotAgreed."""
    price = f"{what} costs up to ${dollars:,.2f}"
    if agreed:
        say(price)
        return
    if not sys.stdin.isatty():
        raise NotAgreed(f"{price}; nothing was asked: agree with --yes")
    if not click.confirm(f"{price}. Ask?", err=True):
        raise NotAgreed("nothing was asked, and nothing was changed")


@contextmanager
def asking(kit: Kit, key_name: str | None) -> Iterator[Asker]:
    """Lend what asks X. Raises TraptorError when no key can."""
    key = _key(kit, key_name)
    twitter = kit.settings.twitter
    proxy: Any = twitter.proxy if twitter.proxy not in (None, "none", "environment") else None
    ca_file = str(twitter.stream_ca_file) if twitter.stream_ca_file else None
    with Asker(key, twitter.api_url, proxy, ca_file) as asker:
        yield asker


def _key(kit: Kit, name: str | None) -> ApiKey:
    able = [key for key in kit.settings.keys if key.bearer_token or key.consumer_secret]
    for key in able:
        if name in (None, key.name):
            return key
    known = ", ".join(key.name for key in able) or "there is none"
    raise TraptorError(f"no key {name or 'with a bearer token or a consumer key'} to ask X with: {known}")
