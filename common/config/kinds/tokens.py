"""The kind of option that names the holders of tokens: each with a secret of its own."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from traptor.common.config.kinds.kinds import Allowed, read_list, read_token

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _named_tokens(text: str) -> tuple[tuple[str, str], ...]:
    if not text:
        return ()
    pairs = []
    for number, item in enumerate(read_list(text), start=1):
        name, colon, secret = (part.strip() for part in item.partition(":"))
        if not (colon and secret and _NAME.fullmatch(name)):
            raise ValueError(
                f"item {number} must be NAME:TOKEN; a name has at most 64 characters of A-Z a-z 0-9 _ . -"
            )
        try:
            pairs.append((name, read_token(secret)))
        except ValueError as error:
            raise ValueError(f"the token of item {number} {error}") from None
    for what, which in (("name", 0), ("token", 1)):
        if len({pair[which] for pair in pairs}) < len(pairs):
            raise ValueError(f"gives one {what} twice; each needs its own")
    return tuple(pairs)


NamedTokens = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(_named_tokens),
    Allowed("a list of `NAME:TOKEN`, or nothing", is_list=True),
]
