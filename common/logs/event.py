"""The idiom of a log line: an event, which is a short constant message and fields.

log.info("streaming", extra=fields(key="k2"))
"""

from __future__ import annotations


def fields(**members: object) -> dict[str, object]:
    """What goes into `extra=`: the event's fields, in their order; those that are None are not shown."""
    return {"fields": members}


def lifecycle(**members: object) -> dict[str, object]:
    """The same for a step in a worker's life: supervisor.log gets it too, whatever its level."""
    return {"fields": members, "lifecycle": True}
