"""Follow rules given as screen names: turn the names into ids, with the names beside."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from traptor.common.text import counted
from traptor.rulekit.commands.parts.given import progress_bar
from traptor.rulekit.commands.parts.kit import Kit
from traptor.rulekit.commands.parts.spending import agree
from traptor.rulekit.lookups.accounts import TOGETHER, XAccount, by_names
from traptor.rulekit.lookups.cache import NameCache
from traptor.rulekit.lookups.names import names_in, with_ids
from traptor.rulekit.lookups.question import asker_of
from traptor.rulekit.sources.row import BadRow, Row


@dataclass(frozen=True, slots=True)
class Naming:
    """How names become ids: with which key, and whether that may cost money unasked."""

    kit: Kit
    may_spend: bool = False
    key_name: str | None = None

    def ids_for(self, rows: Sequence[Row]) -> Iterator[Row | BadRow]:
        """Yield the rows with ids for their names. Raises NotAgreed, XRefused and RedisUnavailable."""
        names = dict.fromkeys(name.lower() for row in rows for name in names_in(row.fields["value"]))
        accounts = self._accounts(list(names))
        for row in rows:
            yield with_ids(row, accounts)

    def _accounts(self, names: Sequence[str]) -> dict[str, XAccount]:
        now = time.time()
        with self.kit.redis() as client:
            cache = NameCache(client)
            found = cache.known(names, now)
            missing = [name for name in names if name not in found]
            if missing:
                price = len(missing) * self.kit.twitter.user_price
                requests = counted(-(-len(missing) // TOGETHER), "request")
                what = f"to look up {counted(len(missing), 'name')} at X ({requests})"
                agree(what, price, agreed=self.may_spend)
                asker = asker_of(self.kit.settings, self.key_name)
                with progress_bar("asking X") as show:
                    new = by_names(asker, missing, show)
                cache.keep(new, now)
                found |= new
        return found
