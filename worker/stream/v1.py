"""The stream of v1.1: `statuses/filter`.

Facts about the endpoint: Twitter, "POST statuses/filter" and "Connecting to a streaming endpoint".
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import tweepy

from traptor.common.messages import Disconnected
from traptor.common.rules.rule import Rule
from traptor.worker.stream.http import HttpStream
from traptor.worker.stream.request import Request

FILTER_PATH = "/1.1/statuses/filter.json"
_TEXT_CHARS = 200
_TEXT_BYTES = 1_024
_UNREADABLE = "(the answer's text could not be read)"


class V1Stream(HttpStream):
    """Opens `statuses/filter` with the rules' values, signed with OAuth 1.0a."""

    def request(self, rules: Sequence[Rule]) -> Request:
        """Return the request for these rules."""
        connect = self.order
        auth = tweepy.OAuth1UserHandler(
            connect.consumer_key, connect.consumer_secret, connect.access_token, connect.access_token_secret
        )
        return Request("POST", FILTER_PATH, auth.apply_auth(), form=filter_form(rules))

    def refusal(self, ended: Disconnected) -> Disconnected:
        """Pass it on at once, and return it with its text: the status says everything."""
        self.on_refused(ended)
        text = self.start_of_text(_TEXT_BYTES)
        return msgspec.structs.replace(ended, detail=_UNREADABLE if text is None else one_line(text))


def one_line(text: bytes) -> str:
    """Return the beginning of a text on one line."""
    return " ".join(text.decode(errors="replace").split())[:_TEXT_CHARS]


def filter_form(rules: Sequence[Rule]) -> dict[str, str]:
    """Return the form of `statuses/filter` for these rules: each distinct value once, in their order."""
    values: dict[str, dict[str, None]] = {}
    for rule in rules:
        values.setdefault(rule.group.type.value, {}).update(dict.fromkeys(rule.values))
    form = {name: ",".join(distinct) for name, distinct in values.items()}
    return {**form, "stall_warnings": "true"}
