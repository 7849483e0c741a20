"""Collect the parts of a tweet in which Twitter looks for track terms.

These are the text, the hashtags, cashtags and users named in it, and the expanded and displayed addresses of
links and media (Twitter, "Standard stream parameters"), of the tweet, its retweeted and its quoted tweet.
"""

from __future__ import annotations

import re

from traptor.worker.match.tokens import unescape
from traptor.worker.tweets.tweet import Entities, Tweet, UrlEntity

_NOTHING_OR_LINK = re.compile(r"\s*(?:https?://\S+\s*)?")


def searched_of(tweet: Tweet) -> tuple[str, list[str]]:
    """Return the searched text, with its parts on separate lines in no particular order, and the tags.

    Tags are the hashtags, cashtags and mentions given by entities, each with its mark.
    """
    retweeted, quoted = tweet.retweeted_status, tweet.quoted_status
    parts: set[str] = set()
    tags: list[str] = []
    if retweeted is not None:
        _add_status(parts, tags, tweet, True)
        _add_status(parts, tags, retweeted, retweeted.truncated)
        quoted = quoted or retweeted.quoted_status
    else:
        _add_status(parts, tags, tweet, tweet.truncated)
    if quoted is not None:
        _add_status(parts, tags, quoted, quoted.truncated)
    return "\n".join(parts), tags


def authors_of(tweet: Tweet) -> str:
    """Return the screen names of the author, the retweeted and the quoted author, one per line."""
    statuses = (tweet, tweet.retweeted_status, tweet.quoted_status)
    users = [status.user for status in statuses if status is not None]
    return "\n".join(user.screen_name for user in users if user is not None and user.screen_name)


def _add_status(parts: set[str], tags: list[str], status: Tweet, is_cut: bool | None) -> None:
    """Add one tweet; when `is_cut`, the last word of its outer text is incomplete and is left out."""
    extended = status.extended_tweet
    if extended is not None and (text := extended.full_text) is not None:
        entities, more = extended.entities, extended.extended_entities
        own_address = None
    else:
        text = status.text if status.text is not None else status.full_text
        if is_cut and text is not None:
            text = _without_cut_word(text)
        entities, more = status.entities, status.extended_entities
        # Twitter ends a text that it cuts with a link to the tweet itself; the author did not write it.
        own_address = f"/i/web/status/{status.id_str}" if status.truncated and status.id_str else None
    if text is not None:
        parts.add(unescape(text))
    if entities is not None:
        _add_entities(parts, tags, entities, own_address)
    if more is not None and more.media:  # it has the second and further media
        _add_links(parts, more.media, None)


def _without_cut_word(text: str) -> str:
    """Leave out the word before the ellipsis at the end; a link may follow it."""
    head, ellipsis, tail = text.rpartition("…")
    if not ellipsis or not _NOTHING_OR_LINK.fullmatch(tail):
        return text
    if head and not head[-1].isspace():
        whole_words = head.rsplit(None, 1)[:-1]
        head = whole_words[0] if whole_words else ""
    return f"{head} {tail}"


def _add_entities(parts: set[str], tags: list[str], entities: Entities, own_address: str | None) -> None:
    """Add what entities name; entities without a name are left out."""
    if entities.hashtags:
        tags += [f"#{hashtag.text}" for hashtag in entities.hashtags if hashtag.text]
    if entities.symbols:
        tags += [f"${cashtag.text}" for cashtag in entities.symbols if cashtag.text]
    if entities.user_mentions:
        tags += [f"@{mention.screen_name}" for mention in entities.user_mentions if mention.screen_name]
    if entities.urls:
        _add_links(parts, entities.urls, own_address)
    if entities.media:
        _add_links(parts, entities.media, None)


def _add_links(parts: set[str], links: tuple[UrlEntity, ...], own_address: str | None) -> None:
    for link in links:
        expanded, displayed = link.expanded_url, link.display_url
        if own_address is not None and expanded and expanded.endswith(own_address):
            continue
        if expanded:
            parts.add(expanded)
        # A cut displayed address adds nothing to the expanded one but half a word.
        if displayed and displayed[-1] != "…":
            parts.add(displayed)
