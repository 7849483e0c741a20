"""The credentials of an order to connect, hidden from all that is said."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from traptor.common.logs.mask import SHORTEST
from traptor.common.messages import Connect, Disconnected


def secrets_of(order: Connect) -> list[str]:
    """Return what must not appear in a log; what is too short to be a secret may."""
    password = urlsplit(order.proxy).password if order.proxy else None
    secrets = (
        order.consumer_key,
        order.consumer_secret,
        order.access_token,
        order.access_token_secret,
        order.bearer_token,
        password,
    )
    return [secret for secret in secrets if secret and len(secret) >= SHORTEST]


def masked(ended: Disconnected, order: Connect) -> Disconnected:
    """Return it without credentials that a server or proxy may have repeated."""
    detail, problem = ended.detail, ended.problem
    for secret in secrets_of(order):
        detail, problem = detail.replace(secret, "***"), problem.replace(secret, "***")
    return msgspec.structs.replace(ended, detail=detail, problem=problem)
