"""Metrics of API v2: apps, their filters and bills, and gaps filled afterwards. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from traptor.supervisor.metrics.family import Family, Json, counter, gauge


def of_apps(status: Json) -> Iterator[Family]:
    """Yield the metrics of API v2; without apps they have no samples."""
    apps = status.get("apps", ())
    for period in ("today", "month"):
        for name, member in (("dollars", "dollars"), ("posts", "posts")):
            yield gauge(
                f"app_{name}_{period}",
                f"What X bills to the app: {name}, {'this UTC day' if period == 'today' else 'this month'}.",
                ("key",),
                (((app["key"],), app[period][member]) for app in apps),
            )
    yield gauge(
        "app_cap_used_ratio",
        "Share of a cap of the operator's that is used.",
        ("key", "cap"),
        (((app["key"], cap["cap"]), cap["percent"] / 100) for app in apps for cap in app["caps"]),
    )
    yield gauge(
        "app_rules_waiting",
        "Rules that wait for a filter.",
        ("key",),
        (((app["key"],), app["waiting"]) for app in apps),
    )
    yield gauge(
        "app_filters",
        "Filters in the app by kind: ours, of others, free.",
        ("key", "kind"),
        (
            ((app["key"], kind), app["filters"][member])
            for app in apps
            for kind, member in (("standing", "standing"), ("foreign", "foreign"), ("free", "free"))
        ),
    )


def of_fills(status: Json) -> Iterator[Family]:
    """Yield the metrics of gaps filled afterwards; without API v2 they have no samples."""
    fills = status.get("fills", {})
    states = fills.get("states", {})
    yield counter(
        "gap_fills",
        "Gaps that were filled afterwards, or given up, since the ledger began.",
        ("state",),
        (((state,), states[state]) for state in ("done", "given_up") if state in states),
    )
    yield counter(
        "gap_fill_posts",
        "Posts that this delivered.",
        (),
        [((), fills["posts"])] if states else [],
    )
    connections = fills.get("connections", ())
    for name, text in (
        ("open", "Gaps still to be filled."),
        ("dollars_today", "What that cost this UTC day."),
    ):
        yield gauge(
            f"gap_fills_{name}",
            text,
            ("connection",),
            (((one["connection"],), one[name]) for one in connections),
        )
