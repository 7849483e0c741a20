"""The form of a log call: an event, which is a short constant message, and its fields.

log.info("streaming", extra=fields(key="k2"))
"""

from __future__ import annotations


def fields(**members: object) -> dict[str, object]:
    """Return the value for `extra=`: the event's fields in order; fields that are None are not shown."""
    return {"fields": members}


def lifecycle(**members: object) -> dict[str, object]:
    """Return the same for a lifecycle event of a worker, which supervisor.log receives at any level."""
    return {"fields": members, "lifecycle": True}
