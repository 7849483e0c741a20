"""A collection on API v2: the sandbox's accounts are apps, and the supervisor's keys fetch their tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import requests

from support.collection import Collection, Json
from support.control import get, lines
from support.waiting import DEADLINE_S, wait_for

# Quick versions of what X takes its time for.
SANDBOX = ("--v2-effect", "0.3", "--v2-keep-alive", "1")


def on_v2(collection: Collection, **twitter: object) -> Collection:
    """Have the collection use v2, with these options of [twitter]."""
    collection.options["traptor"] = {"api": "v2", **collection.options.get("traptor", {})}
    collection.options["twitter"] = {
        "api_url": collection.sandbox.url,
        **collection.options.get("twitter", {}),
        **twitter,
    }
    return collection


def bearer(collection: Collection, key: str = "app") -> str:
    """Return the token that X gives for a key."""
    answer = requests.post(
        f"{collection.sandbox.url}/oauth2/token",
        auth=(f"ck-{key}", f"SECRET-cs-{key}"),
        data={"grant_type": "client_credentials"},
        timeout=DEADLINE_S,
    )
    return str(answer.json()["access_token"])


def filters(collection: Collection) -> set[str]:
    """The values of the filters that are listed now."""
    return {one["value"] for one in collection.sandbox.v2.filters() if one["deleted_at"] is None}


def connects(collection: Collection) -> list[Json]:
    """The requests for a stream, in order."""
    return collection.sandbox.v2.requests("stream")


def wait_filters(collection: Collection, *values: str) -> None:
    wait_for(lambda: filters(collection) == set(values), f"the filters are {values}")


def closed_gaps(collection: Collection) -> list[Json]:
    """The gaps of the app that are over, in order."""
    found = lines(collection.run_dir / "control.sock", "gaps", connection="v2:app")
    return [gap for gap in found if not gap["open"]]


def end_connection(collection: Collection, uuid: str) -> None:
    """End a connection of the first key's app, as its owner does."""
    requests.delete(
        f"{collection.sandbox.url}/2/connections",
        headers={"Authorization": f"Bearer {bearer(collection, collection.keys[0].name)}"},
        json={"uuids": [uuid]},
        timeout=DEADLINE_S,
    ).raise_for_status()


def is_collected(collection: Collection, rule_id: str) -> bool:
    """Tell whether posts are found for a rule, as the supervisor explains it."""
    status, body = get(collection.run_dir / "control.sock", f"/api/explain?rule={rule_id}")
    return status == 200 and [one["collected"] for one in json.loads(body)["rules"]] == [True]


def post_until_collected(collection: Collection, *words: str) -> None:
    """Make posts with these words, whose rules have them as ids: posts that name filters prove it."""

    def posted() -> bool:
        collection.sandbox.burst(len(words), [{"type": "track", "value": word} for word in words])
        return all(is_collected(collection, word) for word in words)

    wait_for(posted, f"{words} are collected")


def credited(collection: Collection) -> dict[str, list[str]]:
    """The values of the rules that each post was credited to."""
    return {
        message["data"]["id"]: sorted(rule["value"] for rule in message["traptor"]["collection_rules"])
        for message in collection.messages("v2:app")
    }


def found_for(collection: Collection) -> dict[str, list[str]]:
    """The values of the filters that found each post, by X's own record."""
    x = collection.sandbox.v2
    values = {one["id"]: one["value"] for one in x.filters()}
    return {match["id"]: sorted(values[key] for key in match["filters"]) for match in x.matches()}


@contextmanager
def posts_for(collection: Collection, *values: str) -> Iterator[None]:
    """Make a post for each value every 100 ms."""
    done = Event()

    def posting() -> None:
        while not done.is_set():
            collection.sandbox.burst(len(values), [{"type": "track", "value": value} for value in values])
            time.sleep(0.1)

    thread = Thread(target=posting)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def make_posts(collection: Collection, count: int, *words: str) -> list[Json]:
    """Have X find at least so many posts for these words; all that it ever found."""
    x = collection.sandbox
    found = list(x.v2.matches())
    most, values = len(found) + count, [{"type": "track", "value": word} for word in words]
    while len(found) < most:
        x.burst(min(count, 500), values)
        found += x.v2.matches(since=len(found))
    return found


def strike(collection: Collection, fault: str, app: str = "app", **fields: object) -> None:
    """Have a fault strike the app's stream, as soon as one is open."""
    wait_for(
        lambda: collection.sandbox.v2.fault(fault, app=app, **fields)["struck"],
        f"{fault} strikes a stream of {app}",
    )


def leave_filters(collection: Collection, *values: str) -> None:
    """Leave filters without a tag in the first key's app, as somebody did long ago."""
    requests.post(
        f"{collection.sandbox.url}/2/tweets/search/stream/rules",
        headers={"Authorization": f"Bearer {bearer(collection, collection.keys[0].name)}"},
        json={"add": [{"value": value} for value in values]},
        timeout=DEADLINE_S,
    ).raise_for_status()


def bill(collection: Collection) -> dict[str, int]:
    """What the sandbox charges, over all days."""
    rows = collection.sandbox.v2.bill()
    return {kind: sum(row[kind] for row in rows) for kind in ("posts", "included_posts", "included_users")}
