"""Where in a tweet Twitter looks for track terms.

The text, the hashtags, cashtags and users named in it, and the expanded and displayed addresses of links and
media (Twitter, "Standard stream parameters"), all of the tweet, of what it retweets and of what it quotes.
"""

from __future__ import annotations

import re

import msgspec

from traptor.worker.tokens import fold, unescape
from traptor.worker.tweet import Entities, Link, Tweet

_NOTHING_OR_LINK = re.compile(r"\s*(?:https?://\S+\s*)?")


def searched_text(tweet: Tweet) -> str:
    """Return all that is searched, folded, its parts on lines of their own in no particular order."""
    parts: set[str] = set()
    retweeted = tweet.retweeted_status
    quoted = tweet.quoted_status
    _add_status(parts, tweet, is_cut=retweeted is not None or bool(tweet.truncated))
    if retweeted is not None:
        _add_status(parts, retweeted, is_cut=bool(retweeted.truncated))
        quoted = quoted or retweeted.quoted_status
    if quoted is not None:
        _add_status(parts, quoted, is_cut=bool(quoted.truncated))
    return fold("\n".join(parts))


def authors_of(tweet: Tweet) -> str:
    """Return the screen names of who wrote, was retweeted and was quoted, folded, one a line."""
    statuses = (tweet, tweet.retweeted_status, tweet.quoted_status)
    users = [status.user for status in statuses if status is not None]
    return fold("\n".join(user.screen_name for user in users if user is not None and user.screen_name))


def _add_status(parts: set[str], status: Tweet, *, is_cut: bool) -> None:
    """Add one tweet; where `is_cut`, the last word of its outer text is only a beginning and is left out."""
    extended = status.extended_tweet
    if extended is not None and extended.full_text is not None:
        parts.add(unescape(extended.full_text))
        _add_entities(parts, extended.entities)
        _add_media(parts, extended.extended_entities)
        return
    text = status.text if status.text is not None else status.full_text
    if text is not None:
        parts.add(unescape(_without_cut_word(text) if is_cut else text))
    entities = status.entities
    if entities is not None and entities.urls and status.truncated:
        # Twitter ends a text that it cuts with a link to the tweet itself; the author did not write it.
        own = f"/i/web/status/{status.id_str}"
        links = tuple(link for link in entities.urls if not (link.expanded_url or "").endswith(own))
        entities = msgspec.structs.replace(entities, urls=links)
    _add_entities(parts, entities)
    _add_media(parts, status.extended_entities)


def _without_cut_word(text: str) -> str:
    """Leave out the word before the ellipsis at the end; after it there may be a link."""
    head, ellipsis, tail = text.rpartition("…")
    if not ellipsis or not _NOTHING_OR_LINK.fullmatch(tail):
        return text
    words = head.split()
    if words and not head[-1].isspace():
        words.pop()
    return " ".join(words) + tail


def _add_entities(parts: set[str], entities: Entities | None) -> None:
    if entities is None:
        return
    if entities.hashtags:
        parts.update([f"#{hashtag.text}" for hashtag in entities.hashtags])
    if entities.symbols:
        parts.update([f"${cashtag.text}" for cashtag in entities.symbols])
    if entities.user_mentions:
        parts.update([f"@{mention.screen_name}" for mention in entities.user_mentions])
    if entities.urls:
        _add_links(parts, entities.urls)
    if entities.media:
        _add_links(parts, entities.media)


def _add_media(parts: set[str], entities: Entities | None) -> None:
    """Add what only `extended_entities` has: the second and further media."""
    if entities is not None and entities.media:
        _add_links(parts, entities.media)


def _add_links(parts: set[str], links: tuple[Link, ...]) -> None:
    for link in links:
        if link.expanded_url:
            parts.add(link.expanded_url)
        # A displayed address that is cut holds nothing that the expanded one has not, but for half a word.
        if link.display_url and not link.display_url.endswith("…"):
            parts.add(link.display_url)
