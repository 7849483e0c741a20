"""Users and places in the form of v1.1."""

from __future__ import annotations

from typing import Any

from traptor.worker.payload.form import V1User, V1UserId
from traptor.worker.payload.source import SourceIncludes, SourcePlace, SourceUser
from traptor.worker.payload.times import v1_time


def v1_user(user_id: str, included: SourceIncludes) -> V1User | V1UserId:
    """Return a user; the id alone where the user is not included."""
    found = included.user(user_id) if included.users else None
    return V1UserId(int(user_id), user_id) if found is None else _user(found)


def v1_place(found: SourcePlace | None) -> dict[str, Any] | None:
    """Return a place; None where it is not included."""
    if found is None:
        return None
    box = found.geo.bbox if found.geo is not None else None
    return {
        "id": found.id,
        "url": f"https://api.twitter.com/1.1/geo/id/{found.id}.json",
        "place_type": found.place_type,
        "name": found.name,
        "full_name": found.full_name,
        "country_code": found.country_code,
        "country": found.country,
        "bounding_box": _polygon(*box) if box is not None else None,
        "attributes": {},
    }


def _user(found: SourceUser) -> V1User:
    counts, picture = found.public_metrics, found.profile_image_url
    return V1User(  # in the order of its members
        int(found.id),
        found.id,
        found.name,
        found.username,
        found.location,
        found.url,
        found.description,
        found.protected,
        found.verified,
        counts.followers_count,
        counts.following_count,
        counts.listed_count,
        counts.like_count,
        counts.tweet_count,
        v1_time(found.created_at),
        picture.replace("https://", "http://", 1) if picture else None,
        picture,
        found.profile_banner_url,
        None,  # from here on what v2 tells of no user
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
    )


def _polygon(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [west, north], [east, north], [east, south]]],
    }
