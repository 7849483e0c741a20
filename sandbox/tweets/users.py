"""The users who write the tweets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """A profile that depends only on the id and the given words: the same user always looks the same."""

    id: int
    screen_name: str
    name: str
    about: str
    location: str

    def render(self) -> dict[str, Any]:
        """Return the `user` object of the v1.1 format."""
        number = self.id
        colour = f"{number * 2654435761 % 0xFFFFFF:06X}"
        picture = f"pbs.twimg.com/profile_images/{number}/{colour}_normal.jpg"
        return {
            "id": number,
            "id_str": str(number),
            "name": self.name,
            "screen_name": self.screen_name,
            "location": self.location,
            "url": None,
            "description": self.about,
            "translator_type": "none",
            "protected": False,
            "verified": False,
            "followers_count": number % 9973,
            "friends_count": number % 997,
            "listed_count": number % 31,
            "favourites_count": number % 19997,
            "statuses_count": number % 29989,
            "created_at": f"Mon Jan {number % 28 + 1:02} 00:00:00 +0000 {2008 + number % 14}",
            "utc_offset": None,
            "time_zone": None,
            "geo_enabled": True,
            "lang": None,
            "contributors_enabled": False,
            "is_translator": False,
            "profile_background_color": "F5F8FA",
            "profile_background_image_url": "",
            "profile_background_image_url_https": "",
            "profile_background_tile": False,
            "profile_link_color": colour,
            "profile_sidebar_border_color": "C0DEED",
            "profile_sidebar_fill_color": "DDEEF6",
            "profile_text_color": "333333",
            "profile_use_background_image": True,
            "profile_image_url": f"http://{picture}",
            "profile_image_url_https": f"https://{picture}",
            "profile_banner_url": f"https://pbs.twimg.com/profile_banners/{number}/1500000000",
            "default_profile": True,
            "default_profile_image": False,
            "following": None,
            "follow_request_sent": None,
            "notifications": None,
        }
