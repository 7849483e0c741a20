"""The answers of X's endpoints, checked for their form; members that are not listed here may be anything."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Number = Annotated[int, msgspec.Meta(ge=0)]  # X writes counts as numbers or as strings


class ListedFilter(msgspec.Struct, frozen=True):
    """A filter as it stands at X."""

    id: Id
    value: str
    tag: str | None = None


class PageMeta(msgspec.Struct, frozen=True):
    """The continuation of a list."""

    next_token: str | None = None


class FilterPage(msgspec.Struct, frozen=True):
    """A page of the list of filters; an app without filters has no `data`."""

    meta: PageMeta
    data: tuple[ListedFilter, ...] = ()


class AddSummary(msgspec.Struct, frozen=True):
    """The result of a batch."""

    created: Number
    not_created: Number = 0


class AddMeta(msgspec.Struct, frozen=True):
    """Wraps the summary."""

    summary: AddSummary


class AddAnswer(msgspec.Struct, frozen=True):
    """The answer to added filters: those that were taken, and problems for others."""

    meta: AddMeta | None = None
    data: tuple[ListedFilter, ...] = ()
    errors: tuple[Any, ...] = ()


class DeleteSummary(msgspec.Struct, frozen=True):
    """The number of deleted filters."""

    deleted: Number
    not_deleted: Number = 0


class DeleteMeta(msgspec.Struct, frozen=True):
    """Wraps the summary."""

    summary: DeleteSummary


class DeleteAnswer(msgspec.Struct, frozen=True):
    """The answer to deleted filters."""

    meta: DeleteMeta


class AppCount(msgspec.Struct, frozen=True):
    """The filters of one app."""

    rule_count: Number


class Counts(msgspec.Struct, frozen=True):
    """The number of filters the app may have, and has; None where X does not say."""

    cap_per_client_app: Number | None = None
    cap_per_project: Number | None = None
    project_rules_count: Number | None = None
    client_app_rules_count: AppCount | None = None

    @property
    def room(self) -> int:
        """How many more filters the app's and the project's caps leave; 0 where X does not say."""
        used = self.client_app_rules_count
        pairs = (
            (self.cap_per_client_app, used.rule_count if used else None),
            (self.cap_per_project, self.project_rules_count),
        )
        left = [cap - count for cap, count in pairs if cap is not None and count is not None]
        return max(0, min(left, default=0))


class CountsAnswer(msgspec.Struct, frozen=True):
    """Wraps the counts."""

    data: Counts


class ListedConnection(msgspec.Struct, frozen=True):
    """A connection to the stream as X knows it; times are ISO 8601. What X does not say, or oddly, is ""."""

    id: str = ""
    endpoint_name: str = ""
    connected_at: str = ""
    disconnected_at: str = ""
    disconnect_reason: str = ""
    client_ip: str = ""


class ConnectionPage(msgspec.Struct, frozen=True):
    """A page of connections, each of which may be of any form."""

    data: tuple[Any, ...] = ()
    meta: PageMeta = PageMeta()

    @property
    def connections(self) -> tuple[ListedConnection, ...]:
        """All of them: one that cannot be read holds a slot too."""
        return tuple(_connection(one) for one in self.data)


class KillResults(msgspec.Struct, frozen=True):
    """The result for each connection, which may be of any form."""

    results: tuple[Any, ...] = ()

    @property
    def ended(self) -> frozenset[str]:
        """The ids of those that X ended."""
        told = (one for one in self.results if isinstance(one, dict) and one.get("success") is True)
        return frozenset(one["uuid"] for one in told if isinstance(one.get("uuid"), str))


class KillAnswer(msgspec.Struct, frozen=True):
    """Wraps the results."""

    data: KillResults


class Usage(msgspec.Struct, frozen=True):
    """The usage that X counted for the project in the billing month; None where X does not say."""

    project_usage: Number | None = None
    project_cap: Number | None = None
    cap_reset_day: Number | None = None


class UsageAnswer(msgspec.Struct, frozen=True):
    """Wraps the usage."""

    data: Usage


class TokenAnswer(msgspec.Struct, frozen=True):
    """A bearer token."""

    access_token: Annotated[str, msgspec.Meta(min_length=1, max_length=2048, pattern=r"^[!-~]+\Z")]
    token_type: Literal["bearer", "Bearer"]

    def __repr__(self) -> str:
        return "TokenAnswer(...)"


def _connection(raw: Any) -> ListedConnection:
    members = raw if isinstance(raw, dict) else {}
    texts = {name: members.get(name) for name in ListedConnection.__struct_fields__}
    return ListedConnection(**{name: text for name, text in texts.items() if isinstance(text, str)})
