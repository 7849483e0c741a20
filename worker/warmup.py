"""What a worker's libraries set up at their first use, done once in the master for all workers to share."""

from __future__ import annotations

import requests
import tweepy
from confluent_kafka import Producer

from traptor.common.birth import WorkerSettings

_NOWHERE = "http://localhost/"
# CPython rewrites a function's code after some calls of it (PEP 659): here, in memory that is shared.
_TIMES = 10


def warm_up(settings: WorkerSettings) -> None:
    """Use the libraries without reaching anybody. To be called before the first fork; leaves no thread.

    A worker's own memory is less by some 0.4 MiB for Kafka and 0.2 for signing (docs/performance.md).
    """
    auth = tweepy.OAuth1UserHandler("key", "secret", "token", "secret").apply_auth()
    for _ in range(_TIMES):
        with requests.Session() as session:
            session.prepare_request(requests.Request("POST", _NOWHERE, auth=auth, data="follow=1"))
    if settings.kafka is not None:
        Producer({"log_level": 0})  # it knows no broker, and ends at once
