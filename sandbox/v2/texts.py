"""The texts and entities of a post, read from a v1.1 tweet: whole, and cut for the post of a note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from traptor.sandbox.tweets.text import LONG_LIMIT

Json = dict[str, Any]

_LINK_LENGTH = 23
_LISTS = ("urls", "hashtags", "mentions", "cashtags")


@dataclass(frozen=True, slots=True)
class Written:
    """A text with its entities and media in X's v2 form."""

    text: str
    entities: Json
    media: tuple[Json, ...] = ()

    def is_note(self) -> bool:
        """Tell whether the text is too long for the post itself."""
        return len(self.text) > LONG_LIMIT


def written(status: Json) -> Written:
    """Return the whole text of a tweet, without that of its retweeted or quoted tweet."""
    whole = status.get("extended_tweet") or status
    text = whole.get("full_text") or status.get("text") or ""
    found = whole.get("entities") or {}
    media = (whole.get("extended_entities") or {}).get("media") or found.get("media") or []
    links = [_page(item) for item in found.get("urls") or []]
    links += [_link(item) | {"media_key": media_key(item)} for item in media]
    entities = {
        "urls": sorted(links, key=lambda link: int(link["start"])),
        "hashtags": [_span(item) | {"tag": item["text"]} for item in found.get("hashtags") or []],
        "mentions": [_mention(item) for item in found.get("user_mentions") or []],
        "cashtags": [_span(item) | {"tag": item["text"]} for item in found.get("symbols") or []],
    }
    return Written(text, _not_empty(entities), tuple(media))


def cut(whole: Written, slug: str, post_id: str) -> Written:
    """Return the beginning of a note for `text`: cut at a blank, with a link to the post itself."""
    end = whole.text.rfind(" ", 0, LONG_LIMIT - _LINK_LENGTH - 1)
    end = LONG_LIMIT - _LINK_LENGTH - 2 if end < 0 else end
    url = f"https://t.co/{slug}"
    itself = {
        "start": end + 2,
        "end": end + 2 + len(url),
        "url": url,
        "expanded_url": f"https://x.com/i/web/status/{post_id}",
        "display_url": f"x.com/i/web/status/{post_id[:6]}…",
    }
    entities = {
        name: [item for item in whole.entities.get(name, ()) if item["end"] <= end] for name in _LISTS
    }
    entities["urls"].append(itself)
    return Written(f"{whole.text[:end]}… {url}", _not_empty(entities), whole.media)


def media_key(media: Json) -> str:
    """Return the key of a v1.1 media entity."""
    kinds = {"photo": 3, "video": 7, "animated_gif": 16}
    return f"{kinds.get(media.get('type', ''), 3)}_{media['id_str']}"


def _span(item: Json) -> Json:
    start, end = item["indices"]
    return {"start": start, "end": end}


def _mention(item: Json) -> Json:
    return _span(item) | {"username": item["screen_name"], "id": str(item["id_str"])}


def _link(item: Json) -> Json:
    return _span(item) | {
        name: item[name] for name in ("url", "expanded_url", "display_url") if item.get(name)
    }


def _page(item: Json) -> Json:
    """Return a link whose page X has fetched."""
    link = _link(item)
    return link | {"unwound_url": link["expanded_url"], "status": 200} if "expanded_url" in link else link


def _not_empty(entities: Json) -> Json:
    return {name: items for name, items in entities.items() if items}
