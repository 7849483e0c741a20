"""Two connections for tests of faults: track:0 is struck, follow:0 must not notice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil

import support.nonsense
from support.collection import Collection, Json, Key
from support.nospace import make_full_device
from support.waiting import wait_for

NONSENSE = (str(Path(support.nonsense.__file__)),)


def start_two(make: Callable[..., Collection], **options: object) -> tuple[Collection, dict[str, int]]:
    """track:0 and follow:0 stream, with workers that obey `tell`; the pids of both."""
    collection = make(Key("k1"), Key("k2"))
    collection.program = NONSENSE
    collection.options = {
        "supervisor": {"restart_backoff": "50ms", "restart_backoff_max": "200ms", **options}
    }
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["42"])
    collection.start()
    return collection, collection.wait_streaming("track:0", "follow:0")


def tell(collection: Collection, deed: str, connection: str = "track:0") -> Path:
    """Have the worker of a connection misbehave until the file that is returned is removed."""
    new = collection.folder / f"{deed}.new"
    new.write_text(connection)
    return new.rename(collection.folder / deed)


# The kernel tells when a 200 and the end of a stream came, in ticks of at most 10 ms each.
TICKS_S = 0.03


def gaps_of_ticks_aside(collection: Collection, name: str) -> list[Json]:
    """The reported gaps, but for an end and a 200 in the wrong order: in an overlap one follows the other."""
    return [
        gap
        for gap in collection.gaps(name)
        if gap["cause"] != "server_close" or float(gap["seconds"]) > TICKS_S
    ]


def lines_with(collection: Collection, *texts: str, name: str = "supervisor") -> list[str]:
    return [line for line in collection.log(name).splitlines() if all(text in line for text in texts)]


def descriptors_of(master: psutil.Process) -> int:
    """How many a master holds, but for its connections to Redis: its client has one or two, as it needs."""
    return master.num_fds() - len(master.net_connections("tcp"))


def times(gap: Json) -> tuple[float, float]:
    return datetime.fromisoformat(gap["since"]).timestamp(), datetime.fromisoformat(gap["until"]).timestamp()


def wait_gap(collection: Collection, cause: str, name: str = "track:0") -> Json:
    """The first gap with this cause, once it is over."""
    return wait_for(
        lambda: next((gap for gap in collection.gaps(name) if gap["cause"] == cause), None),
        f"a gap of {name} by {cause}",
    )


def point_to(name: Path, target: Path) -> None:
    """Have a name lead elsewhere from one moment to the next: a worker may look at any time."""
    new = name.with_name(f"{name.name}.new")
    new.symlink_to(target)
    new.replace(name)


def put_aside(name: Path, aside: Path) -> Path:
    """Keep a file under another name, while what stands in its place takes nothing, for want of room."""
    aside.hardlink_to(name)
    new = name.with_name(f"{name.name}.new")
    make_full_device(new)
    new.replace(name)
    return aside
