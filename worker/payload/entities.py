"""The entities of a text in the form of v1.1, with indices in code points, and its media."""

from __future__ import annotations

from typing import Any

from traptor.worker.payload.included import Included, Json

_TYPES = {"3": "photo", "7": "video", "13": "video", "16": "animated_gif"}


def v1_entities(found: Json, included: Included) -> Json:
    """Return `entities`, and `extended_entities` where there are media."""
    links = found.get("urls") or ()
    entities: Json = {
        "hashtags": [{"text": one["tag"], "indices": _span(one)} for one in found.get("hashtags") or ()],
        "urls": [_link(one) for one in links if "media_key" not in one],
        "user_mentions": [_mention(one, included) for one in found.get("mentions") or ()],
        "symbols": [{"text": one["tag"], "indices": _span(one)} for one in found.get("cashtags") or ()],
    }
    media = [_medium(one, included) for one in links if "media_key" in one]
    if not media:
        return {"entities": entities}
    entities["media"] = media[:1]
    return {"entities": entities, "extended_entities": {"media": media}}


def quoted_link(found: Json, post_id: str) -> Json | None:
    """Return `quoted_status_permalink`: the link to a quoted post, if the text has one."""
    for one in found.get("urls") or ():
        expanded = one.get("expanded_url") or ""
        if expanded.partition("?")[0].endswith(f"/status/{post_id}"):
            return {"url": one.get("url"), "expanded": expanded, "display": one.get("display_url")}
    return None


def _span(found: Json) -> list[int]:
    return [found["start"], found["end"]]


def _link(found: Json) -> Json:
    return {
        "url": found.get("url"),
        "expanded_url": found.get("expanded_url"),
        "display_url": found.get("display_url"),
        "indices": _span(found),
    }


def _mention(found: Json, included: Included) -> Json:
    user_id = found.get("id")
    return {
        "screen_name": found.get("username"),
        "name": included.name_of(user_id),
        "id": None if user_id is None else int(user_id),
        "id_str": user_id,
        "indices": _span(found),
    }


def _medium(link: Json, included: Included) -> Json:
    key = link["media_key"]
    number, _, media_id = key.partition("_")
    found = included.media(key)
    address = found.get("url") or found.get("preview_image_url")
    width, height = found.get("width"), found.get("height")
    medium = {
        "id": int(media_id),
        "id_str": media_id,
        "indices": _span(link),
        "media_url": address.replace("https://", "http://", 1) if address else None,
        "media_url_https": address,
        "url": link.get("url"),
        "display_url": link.get("display_url"),
        "expanded_url": link.get("expanded_url"),
        "type": found.get("type") or _TYPES.get(number),
        "sizes": {"large": {"w": width, "h": height, "resize": "fit"}} if width and height else None,
    }
    return medium | _video(found)


def _video(found: Json) -> Json:
    variants = found.get("variants")
    if not variants:
        return {}
    info: dict[str, Any] = {
        "duration_millis": found.get("duration_ms"),
        "variants": [
            {"bitrate": one.get("bit_rate"), "content_type": one.get("content_type"), "url": one.get("url")}
            for one in variants
        ],
    }
    return {"video_info": info}
