"""Users and places in the form of v1.1, as JSON with the members in its order."""

from __future__ import annotations

import orjson

from traptor.worker.payload.fragments import counts_of, digits_of, http_of
from traptor.worker.payload.source import SourceIncludes, SourcePlace
from traptor.worker.payload.times import v1_time

_COUNTS = (
    b',"followers_count":%d,"friends_count":%d,"listed_count":%d,"favourites_count":%d,"statuses_count":%d'
)
_WITHOUT_SOURCE = (
    b',"utc_offset":null,"time_zone":null,"lang":null,"geo_enabled":null'
    b',"default_profile":null,"default_profile_image":null'
    b',"following":null,"follow_request_sent":null,"notifications":null}'
)


def v1_user(user_id: str | None, included: SourceIncludes) -> bytes:
    """Return a user; the id alone where the user is not included."""
    if user_id is None:
        return b"null"
    digits = digits_of(user_id)
    found = included.user(user_id) if included.users else None
    if found is None:
        return b'{"id":%b,"id_str":"%b"}' % (digits, digits)
    counts, picture = found.public_metrics, bytes(found.profile_image_url)
    return b"".join((
        b'{"id":', digits, b',"id_str":"', digits,
        b'","name":', found.name,
        b',"screen_name":', found.username,
        b',"location":', found.location,
        b',"url":', found.url,
        b',"description":', found.description,
        b',"protected":', found.protected,
        b',"verified":', found.verified,
        counts_of(_COUNTS, (
            counts.followers_count, counts.following_count, counts.listed_count,
            counts.like_count, counts.tweet_count,
        )),
        b',"created_at":', v1_time(found.created_at),
        b',"profile_image_url":', http_of(picture),
        b',"profile_image_url_https":', picture,
        b',"profile_banner_url":', found.profile_banner_url,
        _WITHOUT_SOURCE,
    ))  # fmt: skip


def v1_place(found: SourcePlace | None) -> bytes:
    """Return a place; null where it is not included."""
    if found is None:
        return b"null"
    place_id = orjson.dumps(found.id)
    box = found.geo.bbox if found.geo is not None else None
    return b"".join((
        b'{"id":', place_id,
        b',"url":"https://api.twitter.com/1.1/geo/id/', place_id[1:-1],
        b'.json","place_type":', found.place_type,
        b',"name":', found.name,
        b',"full_name":', found.full_name,
        b',"country_code":', found.country_code,
        b',"country":', found.country,
        b',"bounding_box":', b"null" if box is None else _polygon(*box),
        b',"attributes":{}}',
    ))  # fmt: skip


def _polygon(west: bytes, south: bytes, east: bytes, north: bytes) -> bytes:
    corners = (west, south, west, north, east, north, east, south)
    return b'{"type":"Polygon","coordinates":[[[%b,%b],[%b,%b],[%b,%b],[%b,%b]]]}' % corners
