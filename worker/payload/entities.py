"""The entities of a text in the form of v1.1, with indices in code points, and its media, as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from traptor.worker.payload.fragments import digits_of, http_of, ids_of
from traptor.worker.payload.source import (
    NOTHING_FOUND,
    NULL,
    FoundInText,
    Linked,
    Marked,
    Named,
    SourceIncludes,
    SourceMedium,
    Variant,
)

_NO_ENTITIES = b',"entities":{"hashtags":[],"urls":[],"user_mentions":[],"symbols":[]}'
_NO_MEDIA = b"]}"
_TYPES = {"3": b'"photo"', "7": b'"video"', "13": b'"video"', "16": b'"animated_gif"'}


def v1_entities(found: FoundInText, included: SourceIncludes) -> bytes:
    """Return the member `entities`, with `extended_entities` behind it where there are media."""
    if found is NOTHING_FOUND:
        return _NO_ENTITIES
    links, media = _links(found.urls, included) if found.urls else (b"", _NO_MEDIA)
    return b"".join((
        b',"entities":{"hashtags":[', _tags(found.hashtags) if found.hashtags else b"",
        b'],"urls":[', links,
        b'],"user_mentions":[', _mentions(found.mentions, included) if found.mentions else b"",
        b'],"symbols":[', _tags(found.cashtags) if found.cashtags else b"",
        media,
    ))  # fmt: skip


def quoted_link(found: FoundInText, post_id: str) -> bytes:
    """Return `quoted_status_permalink`: the link to a quoted post; null if the text has none."""
    end = b"/status/" + digits_of(post_id)
    for one in found.urls:
        if bytes(one.expanded_url).strip(b'"').partition(b"?")[0].endswith(end):
            return b'{"url":%b,"expanded":%b,"display":%b}' % (one.url, one.expanded_url, one.display_url)
    return NULL


def _tags(found: Sequence[Marked]) -> bytes:
    return b",".join(map(_tag, found))


def _tag(one: Marked) -> bytes:
    return b'{"text":%b,"indices":[%d,%d]}' % (one.tag, one.start, one.end)


def _mentions(found: Sequence[Named], included: SourceIncludes) -> bytes:
    mentions = []
    for one in found:
        user = included.user(one.id) if included.users else None
        mentions.append(_mention(one, NULL if user is None else user.name))
    return b",".join(mentions)


def _mention(one: Named, name: bytes) -> bytes:
    return b"".join((
        b'{"screen_name":', one.username,
        b',"name":', name,
        ids_of(b"id", one.id),
        b',"indices":[%d,%d]}' % (one.start, one.end),
    ))  # fmt: skip


def _links(found: Sequence[Linked], included: SourceIncludes) -> tuple[bytes, bytes]:
    """Return the links, and what follows the symbols: the media, of which `entities` had the first alone."""
    links, media = [], []
    for one in found:
        if one.media_key is None:
            links.append(_link(one))
        else:
            media.append(_medium(one, included.medium(one.media_key)))
    if not media:
        return b",".join(links), _NO_MEDIA
    shown = b'],"media":[%b]},"extended_entities":{"media":[%b]}' % (media[0], b",".join(media))
    return b",".join(links), shown


def _link(link: Linked) -> bytes:
    return b"".join((
        b'{"url":', link.url,
        b',"expanded_url":', link.expanded_url,
        b',"display_url":', link.display_url,
        b',"indices":[%d,%d]}' % (link.start, link.end),
    ))  # fmt: skip


def _medium(link: Linked, found: SourceMedium) -> bytes:
    kind, _, number = found.media_key.partition("_")
    digits = digits_of(number)
    address = bytes(found.preview_image_url if found.url == NULL else found.url)
    return b"".join((
        b'{"id":%b,"id_str":"%b","indices":[%d,%d]' % (digits, digits, link.start, link.end),
        b',"media_url":', http_of(address),
        b',"media_url_https":', address,
        b',"url":', link.url,
        b',"display_url":', link.display_url,
        b',"expanded_url":', link.expanded_url,
        b',"type":', _TYPES.get(kind, NULL) if found.type == NULL else found.type,
        b',"sizes":', _sizes(found.width, found.height),
        b',"video_info":' + _video(found) if found.variants else b"",
        b"}",
    ))  # fmt: skip


def _sizes(width: int | None, height: int | None) -> bytes:
    return b'{"large":{"w":%d,"h":%d,"resize":"fit"}}' % (width, height) if width and height else NULL


def _video(found: SourceMedium) -> bytes:
    variants = b",".join([_variant(one) for one in found.variants])
    return b'{"duration_millis":%b,"variants":[%b]}' % (found.duration_ms, variants)


def _variant(one: Variant) -> bytes:
    return b'{"bitrate":%b,"content_type":%b,"url":%b}' % (one.bit_rate, one.content_type, one.url)
