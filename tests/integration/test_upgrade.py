"""The two ways to upgrade that docs/deploy.md describes, and the backup, with a real collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from support.collection import Collection, Key
from support.waiting import wait_for

Make = Callable[..., Collection]


def test_a_second_supervisor_takes_over_without_a_gap(make_collection: Make, tmp_path: Path) -> None:
    """Beside the first one, with a key and folders of its own: every tweet is delivered by one or both."""
    old = make_collection(Key("old"), Key("new"))
    new = replace(old, folder=tmp_path / "new", keys=[Key("new")], options={}, process=None)
    old.keys = [Key("old")]
    old.add_rules("track:0", ["flood", "storm"])
    old.start()
    old.wait_streaming("track:0")
    old.sandbox.set_rules([("track", "flood"), ("track", "storm")])
    wait_for(lambda: old.tweets("track:0"), "tweets by the old one")
    first = int(old.tweets("track:0")[0]["id_str"])
    try:
        new.start()
        new.wait_streaming("track:0")
        wait_for(lambda: new.tweets("track:0"), "tweets by the new one")
        assert old.stop() == 0
        wait_for(lambda: len(new.tweets("track:0")) > 20, "more tweets by the new one")
        new.sandbox.stop_timeline()
        made = {tweet["id"] for tweet in new.sandbox.tweets() if tweet["for"] and int(tweet["id"]) >= first}
        assert made

        def missing() -> set[str]:
            both = (tweet["id_str"] for one in (old, new) for tweet in one.tweets("track:0"))
            return made - set(both)

        wait_for(lambda: not missing(), "every tweet is delivered")
        assert new.stop() == 0
    finally:
        new.end()
