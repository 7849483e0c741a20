"""New versions of tweets: the same content under a new id, with the history of all versions."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from traptor.sandbox.errors import BadInput
from traptor.sandbox.tweets.maker import Tweet
from traptor.sandbox.tweets.status import time_of
from traptor.sandbox.tweets.twitterjson import parse_json, twitter_json

_MOST_VERSIONS = 6


def edited(tweet: Tweet, new_id: int) -> Tweet:
    """Return the next version of a tweet.

    Raises BadInput for one that cannot be edited: a repost, a reply, or one that was edited five times.
    """
    status = parse_json(tweet.json)
    versions = _versions(status) if isinstance(status, dict) else []
    if not versions:
        raise BadInput(f"{tweet.id}: reposts, replies and messages that are not tweets cannot be edited")
    if len(versions) >= _MOST_VERSIONS:
        raise BadInput(f"{tweet.id}: it was edited {_MOST_VERSIONS - 1} times already")
    made_ms = time_of(new_id)
    status |= {
        "created_at": time.strftime("%a %b %d %H:%M:%S +0000 %Y", time.gmtime(made_ms // 1000)),
        "id": new_id,
        "id_str": str(new_id),
        "timestamp_ms": str(made_ms),
        "edit_history": {"initial_tweet_id": versions[0], "edit_tweet_ids": [*versions, str(new_id)]},
    }
    return replace(tweet, id=new_id, json=twitter_json(status))


def can_be_edited(tweet: Tweet) -> bool:
    """Tell whether there can be a next version."""
    status = parse_json(tweet.json)
    return isinstance(status, dict) and 0 < len(_versions(status)) < _MOST_VERSIONS


def _versions(status: dict[str, Any]) -> list[str]:
    """Return the ids of all versions so far, none for what cannot be edited."""
    if "id_str" not in status or "retweeted_status" in status or status.get("in_reply_to_status_id_str"):
        return []
    return list((status.get("edit_history") or {}).get("edit_tweet_ids") or [status["id_str"]])
