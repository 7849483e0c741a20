"""What the posts of a query are matched by: a query stands for several filters, and X names none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from traptor.common.filters import Meaning
from traptor.worker.filters.attribution import Attribution
from traptor.worker.filters.edition import Edition
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.post import NamedFilter


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """What a query stands for, as long as the edition `base` is in force."""

    base: Edition
    meanings: Sequence[Meaning]
    edition: Edition
    named: tuple[NamedFilter, ...]

    @classmethod
    def of(cls, base: Edition, meanings: Sequence[Meaning]) -> AskedQuery:
        """Return what a query of these meanings stands for."""
        named = (NamedFilter(meanings[0].filter_id),) if meanings else ()
        return cls(base, meanings, base.for_query(meanings), named)

    def is_of(self, base: Edition, meanings: Sequence[Meaning]) -> bool:
        """Tell whether this is still what a query of these meanings stands for."""
        return self.base is base and self.meanings == meanings

    def attribute(self, head: PostHead, raw: bytes) -> tuple[PostHead, Attribution]:
        """Return a found post as one that names the filter, and the rules it was found for."""
        named = msgspec.structs.replace(head, matching_rules=self.named)
        return named, self.edition.attribute(named, raw)
