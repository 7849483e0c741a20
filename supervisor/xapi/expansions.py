"""The fields and expansions that a stream of API v2 is asked for: which decides what a post costs."""

from __future__ import annotations

_POST_FIELDS = (
    "attachments",
    "author_id",
    "community_id",
    "context_annotations",
    "conversation_id",
    "created_at",
    "display_text_range",
    "edit_controls",
    "edit_history_tweet_ids",
    "entities",
    "geo",
    "id",
    "in_reply_to_user_id",
    "lang",
    "note_tweet",
    "possibly_sensitive",
    "public_metrics",
    "referenced_tweets",
    "reply_settings",
    "source",
    "text",
    "withheld",
)
_USER_FIELDS = (
    "created_at",
    "description",
    "entities",
    "id",
    "location",
    "name",
    "profile_image_url",
    "protected",
    "public_metrics",
    "url",
    "username",
    "verified",
    "verified_type",
    "withheld",
)
_PLACE_FIELDS = (
    "contained_within",
    "country",
    "country_code",
    "full_name",
    "geo",
    "id",
    "name",
    "place_type",
)
_MEDIA_FIELDS = (
    "alt_text",
    "duration_ms",
    "height",
    "media_key",
    "preview_image_url",
    "public_metrics",
    "type",
    "url",
    "variants",
    "width",
)
_EXPANSIONS: dict[str, tuple[str, ...]] = {
    "none": (),
    "posts": ("referenced_tweets.id",),
    "users": ("author_id",),
    "all": (
        "author_id",
        "referenced_tweets.id",
        "referenced_tweets.id.author_id",
        "in_reply_to_user_id",
        "entities.mentions.username",
        "attachments.media_keys",
        "geo.place_id",
    ),
}


def stream_query(expand: str) -> tuple[tuple[str, str], ...]:
    """Return the query of a stream's request for [traptor] expand."""
    expansions = _EXPANSIONS[expand]
    named = {
        "tweet.fields": _POST_FIELDS,
        "expansions": expansions,
        "user.fields": _USER_FIELDS if expand in ("users", "all") else (),
        "place.fields": _PLACE_FIELDS if expand == "all" else (),
        "media.fields": _MEDIA_FIELDS if expand == "all" else (),
    }
    return tuple((name, ",".join(fields)) for name, fields in named.items() if fields)
