"""Use libraries in the master that set up a lot at their first use: its workers share it."""

from __future__ import annotations

from typing import Any

import requests
import tweepy
from confluent_kafka import Producer

from traptor.common.birth import WorkerSettings
from traptor.common.redis.client import blocking_redis_client

_NOWHERE = "http://localhost/"
# CPython specialises a function's code after some calls (PEP 659): here, in memory that is shared.
_TIMES = 10


def warm_up(settings: WorkerSettings) -> None:
    """Use the libraries without connecting anywhere. Call this before the first fork; it leaves no thread.

    This saves each worker some 0.4 MiB for Kafka, and 1 MiB for its request and for Redis
    (docs/performance.md).
    """
    for _ in range(_TIMES):
        _make_a_request()
    if settings.stats:
        client = blocking_redis_client(settings.redis_url, settings.redis_timeout_s, settings.redis_ca_file)
        client.connection_pool.make_connection()  # which connects when it is used
        client.close()
    if settings.kafka is not None:
        Producer({"log_level": 0})  # it knows no broker, and ends at once


def _make_a_request() -> None:
    """Make a signed request that is answered in this process.

    It fills the caches of `isinstance` with abstract classes too: for a type that is not in them, it looks at
    every class that there is, and each of them would be copied in each worker.
    """
    auth = tweepy.OAuth1UserHandler("key", "secret", "token", "secret").apply_auth()
    with requests.Session() as session:
        session.mount(_NOWHERE, _Nowhere())
        session.trust_env = False
        requests.structures.CaseInsensitiveDict(session.headers).copy()
        session.request("POST", _NOWHERE, auth=auth, data={"follow": "1"}, timeout=(1.0, 1.0), stream=True)


class _Nowhere(requests.adapters.BaseAdapter):
    """Answers 200 to every request, and sends none."""

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        """Return the response."""
        response = requests.Response()
        response.status_code = requests.codes.ok
        response.request, response.url = request, _NOWHERE
        return response

    def close(self) -> None:
        """Do nothing: there is no connection."""
