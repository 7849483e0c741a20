"""The entities of a text in the form of v1.1, with indices in code points, and its media."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from traptor.worker.payload.form import V1Entities, V1Link, V1Media, V1Medium, V1Mention, V1Tag
from traptor.worker.payload.source import (
    NOTHING_FOUND,
    FoundInText,
    Linked,
    Marked,
    Named,
    SourceIncludes,
    SourceMedium,
)

_NONE: list[Any] = []
_NO_ENTITIES = V1Entities(_NONE, _NONE, _NONE, _NONE)
_TYPES = {"3": "photo", "7": "video", "13": "video", "16": "animated_gif"}


def v1_entities(found: FoundInText, included: SourceIncludes) -> tuple[V1Entities, V1Media | UnsetType]:
    """Return `entities`, and `extended_entities` where there are media."""
    if found is NOTHING_FOUND:
        return _NO_ENTITIES, UNSET
    links, mentions, media = _NONE, _NONE, _NONE
    if found.urls:
        links = [_link(one) for one in found.urls if one.media_key is None]
        media = [_medium(one, one.media_key, included) for one in found.urls if one.media_key is not None]
    if found.mentions:
        mentions = [_mention(one, included) for one in found.mentions]
    entities = V1Entities(_tags(found.hashtags), links, mentions, _tags(found.cashtags), media[:1] or UNSET)
    return entities, V1Media(media) if media else UNSET


def quoted_link(found: FoundInText, post_id: str) -> dict[str, Any] | None:
    """Return `quoted_status_permalink`: the link to a quoted post, if the text has one."""
    for one in found.urls:
        expanded = one.expanded_url or ""
        if expanded.partition("?")[0].endswith(f"/status/{post_id}"):
            return {"url": one.url, "expanded": expanded, "display": one.display_url}
    return None


def _tags(found: Sequence[Marked]) -> list[V1Tag]:
    return [V1Tag(one.tag, (one.start, one.end)) for one in found] if found else _NONE


def _link(link: Linked) -> V1Link:
    return V1Link(link.url, link.expanded_url, link.display_url, (link.start, link.end))


def _mention(named: Named, included: SourceIncludes) -> V1Mention:
    user = included.user(named.id) if named.id is not None else None
    name = None if user is None else user.name
    number = None if named.id is None else int(named.id)
    return V1Mention(named.username, name, number, named.id, (named.start, named.end))


def _medium(link: Linked, media_key: str, included: SourceIncludes) -> V1Medium:
    number, _, media_id = media_key.partition("_")
    found = included.medium(media_key)
    address = found.url or found.preview_image_url
    large = {"w": found.width, "h": found.height, "resize": "fit"}
    return V1Medium(
        id=int(media_id),
        id_str=media_id,
        indices=(link.start, link.end),
        media_url=address.replace("https://", "http://", 1) if address else None,
        media_url_https=address,
        url=link.url,
        display_url=link.display_url,
        expanded_url=link.expanded_url,
        type=found.type or _TYPES.get(number),
        sizes={"large": large} if found.width and found.height else None,
        video_info=_video(found) if found.variants else UNSET,
    )


def _video(found: SourceMedium) -> dict[str, Any]:
    return {
        "duration_millis": found.duration_ms,
        "variants": [
            {"bitrate": one.bit_rate, "content_type": one.content_type, "url": one.url}
            for one in found.variants
        ],
    }
