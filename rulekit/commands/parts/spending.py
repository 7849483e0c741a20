"""Ask X only after the price was said and agreed to."""

from __future__ import annotations

import sys

import click

from traptor.common.errors import TraptorError
from traptor.rulekit.commands.parts.kit import say

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
