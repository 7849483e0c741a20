"""A status as the API shows it, for tests of what is made of it."""

from __future__ import annotations

import time
from logging import ERROR
from typing import Any

from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.problems.sentence import sentence, subject_of

Json = dict[str, Any]


def a_connection(name: str = "track:0", **changes: Any) -> Json:
    """A connection that collects, with changes."""
    return {
        "connection": name,
        "groups": [name],
        "state": "UP",
        "collecting": True,
        "since": time.time() - 740.0,
        "rules": 352,
        "tweets_per_second": 12.345,
        "restarts": 2,
        "waits_for": None,
        "waits_until": None,
        "outbox": {"messages": 3, "bytes": 4096, "oldest": None},
        "serving": {
            "generation": 4,
            "pid": 4711,
            "state": "STREAMING",
            "key": "k1",
            "source_address": None,
            "vitals": {"anonymous_bytes": 21_000_000},
        },
        "successor": None,
        "total": {"received": 2000, "matched": 1800, "inferred": 100, "delivered": 1990},
        **changes,
    }


def a_key(name: str = "k1", **changes: Any) -> Json:
    """A key that is well, with changes."""
    return {
        "key": name,
        "state": "OK",
        "lent": 1,
        "max_connections": 1,
        "budget_left": 4,
        "until": None,
        "reason": None,
        "last_used": time.time() - 740.0,
        "source_address": None,
        **changes,
    }


def a_problem(name: str = "follow:0", beneath: int | None = None, **changes: Any) -> Json:
    """Something wrong with a connection, with changes."""
    since = time.time() - 720.0
    parts = {
        "kind": "no_key",
        "why": "k1 and k2 are refused (401)",
        "until": None,
        "todo": "mend keys.yml",
        "key": None,
        "rules": 400,
        **changes,
    }
    problem = OpenProblem(Subject.CONNECTION, name, level=ERROR, **parts)
    return {
        "what": "connection",
        "name": name,
        "subject": subject_of(problem),
        "level": "ERROR",
        "since": since,
        **parts,
        "sentence": sentence(problem, since, time.time()),
        "beneath": beneath,
    }


def an_app(name: str = "app", **changes: Any) -> Json:
    """An app at X whose rules are all in effect, with changes."""
    reads = {
        "posts": 1000,
        "included_posts": 0,
        "included_users": 0,
        "foreign": 0,
        "foreign_dollars": 0.0,
        "dollars": 5.0,
    }
    return {
        "key": name,
        "hold": None,
        "hold_why": None,
        "hold_until": None,
        "rules": 5852,
        "rules_in_effect": 5852,
        "waiting": 3,
        "filters": {"allowed": 1000, "standing": 852, "packed": 500},
        "today": reads,
        "month": {**reads, "dollars": 1234.5},
        "dollars_per_1000_posts": {"plain": 5.0},
        **changes,
    }


def a_status(**changes: Any) -> Json:
    """The status of a supervisor with one connection and one key, all well, with changes."""
    return {
        "version": "0.9",
        "pid": 4700,
        "stopping": False,
        "health": "ok",
        "problems": [],
        "connections": [a_connection()],
        "apps": [],
        "ownerless": [],
        "drain_tries": [],
        "keys": [a_key()],
        **changes,
    }


def silent(name: str = "follow:0", **changes: Any) -> Json:
    """A connection that does not collect."""
    return a_connection(
        name,
        collecting=False,
        waits_for="k1 and k2 are refused (401)",
        waits_until=time.time() + 60.0,
        serving=None,
        **{"state": "WAITING_FOR_KEY", "tweets_per_second": 0.0, **changes},
    )
