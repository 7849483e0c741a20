"""Messages for sinks."""

from __future__ import annotations

import json

from traptor.worker.sink import Outgoing


def tweet(number: int, filler: int = 0) -> Outgoing:
    body = json.dumps({"id": number, "filler": "x" * filler}).encode()
    return Outgoing(body=body, tweet_id=str(number), rule_ids=("1",))


def other(number: int) -> Outgoing:
    return Outgoing(body=json.dumps({"delete": number}).encode(), tweet_id=None, rule_ids=())
