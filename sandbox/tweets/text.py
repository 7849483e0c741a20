"""The text of a status, built of tokens that know their entity, with indices in code points."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Entities = dict[str, list[dict[str, Any]]]

SHORT_LIMIT = 140  # code points; a longer text goes into extended_tweet
LONG_LIMIT = 280  # a longer text is a note at X API v2


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a text; `kind` names the list of entities that `entity` belongs to."""

    body: str
    lead: str = ""
    tail: str = ""
    kind: str = ""
    entity: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.lead}{self.body}{self.tail}"


@dataclass(frozen=True, slots=True)
class Text:
    """A finished text with its entities."""

    text: str
    entities: Entities
    is_cut: bool = False


def word(text: str, lead: str = "", tail: str = "") -> Token:
    """Return a plain word; & < > are escaped as Twitter does."""
    return Token(html.escape(text, quote=False), lead, tail)


def hashtag(text: str) -> Token:
    """Return #text."""
    return Token(f"#{text}", kind="hashtags", entity={"text": text})


def symbol(text: str) -> Token:
    """Return $TEXT, a cashtag."""
    return Token(f"${text.upper()}", kind="symbols", entity={"text": text.upper()})


def mention(user_id: int, screen_name: str, name: str, tail: str = "") -> Token:
    """Return @screen_name."""
    entity = {"screen_name": screen_name, "name": name, "id": user_id, "id_str": str(user_id)}
    return Token(f"@{screen_name}", tail=tail, kind="user_mentions", entity=entity)


def link(slug: str, expanded_url: str) -> Token:
    """Return a t.co link to a page."""
    url = f"https://t.co/{slug}"
    shown = expanded_url.split("://", 1)[1].removeprefix("www.")
    shown = shown if len(shown) <= 27 else f"{shown[:26]}…"
    entity = {"url": url, "expanded_url": expanded_url, "display_url": shown}
    return Token(url, kind="urls", entity=entity)


def compose(tokens: Sequence[Token], limit: int | None = None) -> Text:
    """Join tokens; with a limit, those that do not fit are left out and the text ends in an ellipsis."""
    entities: Entities = {"hashtags": [], "urls": [], "user_mentions": [], "symbols": []}
    out: list[str] = []
    position = 0
    for token in tokens:
        text = str(token)
        if limit is not None and position + len(text) + 1 > limit:
            return Text(f"{' '.join(out)}…", entities, is_cut=True)
        if token.entity is not None:
            start = position + len(token.lead)
            entity = {**token.entity, "indices": [start, start + len(token.body)]}
            entities.setdefault(token.kind, []).append(entity)
        out.append(text)
        position += len(text) + 1
    return Text(" ".join(out), entities)
