"""Many filters at once: which of them find a post, at a cost that hardly grows with their number."""

from __future__ import annotations

from traptor.sandbox.v2.language.facts import Facts
from traptor.sandbox.v2.language.rule import Rule


class FilterIndex:
    """The filters in force, by id."""

    def add(self, filter_id: str, rule: Rule) -> None:
        """Put a filter in force."""
        raise NotImplementedError

    def remove(self, filter_id: str) -> None:
        """Take a filter out; an unknown id is ignored."""
        raise NotImplementedError

    def matching(self, facts: Facts) -> list[str]:
        """Return the ids of the filters that find the post, in the order in which they were added."""
        raise NotImplementedError
