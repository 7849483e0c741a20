"""Find operators of X's rule language in the values of track rules, where they are only words."""

from __future__ import annotations

import re

from traptor.common.text import shown

_NAMES = (
    "from to retweets_of retweets_of_user from_affiliate_of to_affiliate_of retweets_of_tweet_id"
    " retweets_of_status_id in_reply_to_tweet_id in_reply_to_status_id quotes_of_tweet_id conversation_id"
    " url url_contains url_title url_description bounding_box geo_bounding_box point_radius place"
    " place_country has is lang sample context entity bio bio_name bio_location source followers_count"
    " following_count friends_count listed_count tweets_count statuses_count min_followers min_likes"
    " min_replies min_reposts embedding embedding_threshold"
)
_OPERATOR = re.compile(
    rf"""
    (?<![^\s,(])-?(?i:{_NAMES.replace(" ", "|")}):[^\s,]+  # lang:en
    | (?<![^\s,(])-(?:"[^"]*"|(?:[("#@$]|[^\W\d])[^\s,]*)  # -rain, but not -40
    | (?<=\s)OR(?=\s)
    | "[^\s",]+\s[^",]*"  # an exact phrase
    """,
    re.VERBOSE,
)
_SIGNS = (":", "-", '"', "OR")
_MOST_NAMED = 3


def doubt_of_operators(text: str) -> str:
    """Return a warning for a track rule's owner, one sentence; "" where nothing looks like an operator."""
    if not any(sign in text for sign in _SIGNS):  # as in most, and there are 100,000
        return ""
    found = list(dict.fromkeys(match[0] for match in _OPERATOR.finditer(text)))
    if not found:
        return ""
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    named = ", ".join(map(shown, found[:_MOST_NAMED])) + more
    return (
        f"taken as words, though X's rule language has such operators: {named}; what narrows a whole group"
        " goes into [traptor] suffix (api = v2)"
    )
