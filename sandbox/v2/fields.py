"""The fields and expansions that a stream request asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from traptor.sandbox.errors import SandboxError

_ALLOWED = {
    "tweet.fields": """
        article attachments author_id card_uri community_id context_annotations conversation_id created_at
        display_text_range edit_controls edit_history_tweet_ids entities geo id in_reply_to_user_id lang
        matched_media_notes media_metadata note_tweet note_request_suggestions paid_partnership
        possibly_sensitive public_metrics referenced_tweets reply_settings scopes source
        suggested_source_links suggested_source_links_with_counts text withheld
    """,
    "user.fields": """
        affiliation created_at description entities id is_identity_verified location most_recent_tweet_id name
        parody pinned_tweet_id profile_banner_url profile_image_url protected public_metrics
        subscription_type url username verified verified_followers_count verified_type withheld
    """,
    "place.fields": "contained_within country country_code full_name geo id name place_type",
    "media.fields": """
        alt_text duration_ms height media_key preview_image_url public_metrics type url variants width
    """,
    "poll.fields": "duration_minutes end_datetime id options voting_status",
    "expansions": """
        article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet
        attachments.poll_ids author_id edit_history_tweet_ids entities.mentions.username
        entities.note.mentions.username geo.place_id in_reply_to_user_id referenced_tweets.id
        referenced_tweets.id.attachments.media_keys referenced_tweets.id.author_id
    """,
}
KNOWN = {name: frozenset(text.split()) for name, text in _ALLOWED.items()}
PARAMETERS = frozenset(KNOWN)
_DEFAULTS = {
    "tweet.fields": frozenset({"id", "text", "edit_history_tweet_ids"}),
    "user.fields": frozenset({"id", "name", "username"}),
    "place.fields": frozenset({"id", "full_name"}),
    "media.fields": frozenset({"media_key", "type"}),
}
# An expansion also shows the member that it expands.
_SHOWN_BY = {
    "author_id": "author_id",
    "in_reply_to_user_id": "in_reply_to_user_id",
    "referenced_tweets.id": "referenced_tweets",
    "referenced_tweets.id.author_id": "referenced_tweets",
    "referenced_tweets.id.attachments.media_keys": "referenced_tweets",
    "attachments.media_keys": "attachments",
    "entities.mentions.username": "entities",
    "entities.note.mentions.username": "note_tweet",
    "geo.place_id": "geo",
}


class InvalidRequest(SandboxError):
    """A request parameter that X does not know; the response is 400 with `problem()`."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        self.errors = errors
        super().__init__(errors[0]["message"])

    def problem(self) -> dict[str, Any]:
        """Return the body of the response."""
        return {
            "errors": self.errors,
            "title": "Invalid Request",
            "detail": "One or more parameters of the request are invalid.",
            "type": "https://api.x.com/2/problems/invalid-request",
        }


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of each kind of object, defaults included, and the expansions; hashable."""

    post: frozenset[str] = _DEFAULTS["tweet.fields"]
    user: frozenset[str] = _DEFAULTS["user.fields"]
    place: frozenset[str] = _DEFAULTS["place.fields"]
    media: frozenset[str] = _DEFAULTS["media.fields"]
    expansions: frozenset[str] = frozenset()

    def expands(self, *names: str) -> bool:
        """Tell whether one of these expansions is requested."""
        return not self.expansions.isdisjoint(names)


def parse_fields(pairs: Iterable[tuple[str, str]]) -> Fields:
    """Read the PARAMETERS among the query's pairs and ignore the others. Raises InvalidRequest."""
    asked: dict[str, set[str]] = {name: set() for name in KNOWN}
    errors = []
    for name, text in pairs:
        if name not in asked:
            continue
        items = [item.strip() for item in text.split(",")]
        unknown = [item for item in items if item not in KNOWN[name]]
        errors += [_error(name, item) for item in unknown]
        asked[name].update(items)
    if errors:
        raise InvalidRequest(errors)
    return Fields(
        post=_DEFAULTS["tweet.fields"] | asked["tweet.fields"],
        user=_DEFAULTS["user.fields"] | asked["user.fields"],
        place=_DEFAULTS["place.fields"] | asked["place.fields"],
        media=_DEFAULTS["media.fields"] | asked["media.fields"],
        expansions=frozenset(asked["expansions"]),
    )


def shown_by_expansions(fields: Fields) -> frozenset[str]:
    """Return the members of the post itself that its expansions show."""
    return frozenset(_SHOWN_BY[name] for name in fields.expansions if name in _SHOWN_BY)


def _error(parameter: str, item: str) -> dict[str, Any]:
    known = ", ".join(sorted(KNOWN[parameter]))
    return {
        "parameters": {parameter: [item]},
        "message": f"The query parameter {parameter} does not take [{item}]; it takes [{known}]",
    }
