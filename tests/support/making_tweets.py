"""Tweets and rules for the tests of the worker."""

import json

from traptor.common.rules.rule import GroupId, Rule
from traptor.worker.tweets.received import read_message


def rule(group, rule_id, *values, tag="a tag"):
    parsed = GroupId.parse(group)
    fields = {
        "rule_id": str(rule_id),
        "value": ",".join(values),
        "rule_tag": tag,
        "rule_value": ",".join(values),
    }
    key = f"traptor-{group}:{rule_id}"
    return Rule(key, str(rule_id), parsed, tuple(values), json.dumps(fields, separators=(",", ":")).encode())


def tweet_fields(text="", **members):
    fields = {
        "created_at": "Wed Sep 23 10:00:00 +0000 2026",
        "id_str": "900000000000000010",
        "text": text,
        "user": {"id_str": "42", "screen_name": "ann"},
        "in_reply_to_user_id_str": None,
        "coordinates": None,
        "place": None,
        "entities": {"hashtags": [], "urls": [], "user_mentions": [], "symbols": []},
    }
    return fields | members


def decoded(fields):
    message = read_message(json.dumps(fields).encode())
    assert message.tweet is not None
    return message.tweet


def link(expanded, display=None):
    return {
        "url": "https://t.co/abc",
        "expanded_url": expanded,
        "display_url": display or expanded.split("//")[1],
    }


def place(west, south, east, north):
    ring = [[west, south], [west, north], [east, north], [east, south]]
    return {"id": "aa11", "bounding_box": {"type": "Polygon", "coordinates": [ring]}}
