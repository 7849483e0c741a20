"""The objects that a post was expanded with, and their v1.1 forms: users and places."""

from __future__ import annotations

from typing import Any

from traptor.worker.payload.times import v1_time

Json = dict[str, Any]


class Included:
    """Looks up what stands in `includes`."""

    def __init__(self, includes: Json) -> None:
        self._posts = _by(includes.get("tweets") or includes.get("posts") or (), "id")
        self._users = _by(includes.get("users") or (), "id")
        self._places = _by(includes.get("places") or (), "id")
        self._media = _by(includes.get("media") or (), "media_key")

    def post(self, post_id: str | None) -> Json | None:
        """Return a post."""
        return self._posts.get(post_id)

    def media(self, media_key: str) -> Json:
        """Return a photo or video; empty where it is not included."""
        return self._media.get(media_key) or {}

    def name_of(self, user_id: str | None) -> str | None:
        """Return a user's name."""
        return (self._users.get(user_id) or {}).get("name")

    def username_of(self, user_id: str | None) -> str | None:
        """Return a user's screen name."""
        return (self._users.get(user_id) or {}).get("username")

    def user(self, user_id: str) -> Json:
        """Return the v1.1 form of a user; the id alone where the user is not included."""
        found = self._users.get(user_id)
        identity: Json = {"id": int(user_id), "id_str": user_id}
        return identity if found is None else identity | _user(found)

    def place(self, place_id: str | None) -> Json | None:
        """Return the v1.1 form of a place; None where it is not included."""
        found = self._places.get(place_id)
        return None if found is None else _place(found)


def _by(items: Any, member: str) -> dict[Any, Json]:
    return {item[member]: item for item in items} if items else {}


def _user(found: Json) -> Json:
    metrics = found.get("public_metrics") or {}
    picture = found.get("profile_image_url")
    return {
        "name": found.get("name"),
        "screen_name": found.get("username"),
        "location": found.get("location"),
        "url": found.get("url"),
        "description": found.get("description"),
        "protected": found.get("protected", False),
        "verified": found.get("verified", False),
        "followers_count": metrics.get("followers_count"),
        "friends_count": metrics.get("following_count"),
        "listed_count": metrics.get("listed_count"),
        "favourites_count": metrics.get("like_count"),
        "statuses_count": metrics.get("tweet_count"),
        "created_at": v1_time(found.get("created_at")),
        "profile_image_url": picture.replace("https://", "http://", 1) if picture else None,
        "profile_image_url_https": picture,
        "profile_banner_url": found.get("profile_banner_url"),
        "utc_offset": None,
        "time_zone": None,
        "lang": None,
        "geo_enabled": None,
        "default_profile": None,
        "default_profile_image": None,
        "following": None,
        "follow_request_sent": None,
        "notifications": None,
    }


def _place(found: Json) -> Json:
    box = (found.get("geo") or {}).get("bbox")
    return {
        "id": found["id"],
        "url": f"https://api.twitter.com/1.1/geo/id/{found['id']}.json",
        "place_type": found.get("place_type"),
        "name": found.get("name"),
        "full_name": found.get("full_name"),
        "country_code": found.get("country_code"),
        "country": found.get("country"),
        "bounding_box": _polygon(*box) if box else None,
        "attributes": {},
    }


def _polygon(west: float, south: float, east: float, north: float) -> Json:
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [west, north], [east, north], [east, south]]],
    }
