"""Names, numbers and choices of a query, and the pages of lists."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from traptor.sandbox.v2 import problems

Item = TypeVar("Item")
_MARK = "n:"


def check_names(query: Mapping[str, str], allowed: Collection[str]) -> None:
    """Raise Problem (400) for a parameter that the endpoint does not know."""
    for name in query:
        if name not in allowed:
            message = f"The query parameter [{name}] is not one of [{','.join(sorted(allowed))}]"
            raise problems.invalid_request(message, {name: [query[name]]})


def whole_number(query: Mapping[str, str], name: str, least: int, most: int, usual: int) -> int:
    """Return a number of the query. Raises Problem (400) when it is out of bounds."""
    text = query.get(name, str(usual))
    if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
        message = f"The `{name}` query parameter value [{text}] is not between {least} and {most}"
        raise problems.invalid_request(message, {name: [text]})
    return int(text)


def flag(query: Mapping[str, str], name: str) -> bool:
    """Return a `true` or `false` of the query, false without it. Raises Problem (400)."""
    text = query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise problems.invalid_request(
            f"The `{name}` query parameter value [{text}] is not a boolean", {name: [text]}
        )
    return text == "true"


def choices(query: Mapping[str, str], name: str, allowed: Collection[str], usual: str) -> list[str]:
    """Return a comma list of the query. Raises Problem (400) for an item that is not allowed."""
    items = [item.strip() for item in query.get(name, usual).split(",") if item.strip()]
    for item in items:
        if item not in allowed:
            message = (
                f"The `{name}` query parameter value [{item}] is not one of [{','.join(sorted(allowed))}]"
            )
            raise problems.invalid_request(message, {name: [item]})
    return items


def page(items: Sequence[Item], query: Mapping[str, str], size: int) -> tuple[Sequence[Item], str | None]:
    """Return the page that `pagination_token` names, and the token of the next one.

    Raises Problem (400) for a token that was not issued here.
    """
    start = _start(query.get("pagination_token"))
    end = start + size
    return items[start:end], _token(end) if end < len(items) else None


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"{_MARK}{start}".encode()).decode().rstrip("=")


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        text = ""
    number = text.removeprefix(_MARK)
    if not text.startswith(_MARK) or not number.isdecimal():
        message = f"The `pagination_token` query parameter value [{token}] is not valid"
        raise problems.invalid_request(message, {"pagination_token": [token]})
    return int(number)
