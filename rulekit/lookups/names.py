"""Screen names in the values of follow rules; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from traptor.common.rules.rule import RuleType
from traptor.rulekit.lookups.accounts import XAccount
from traptor.rulekit.sources.row import BadRow, Row

FIELD = "screen_name"  # of a rule: the names of its ids, in their order
_NAME = re.compile(r"@?([A-Za-z0-9_]{1,15})")


def apart(rows: Iterable[Row | BadRow], rule_type: RuleType, named: list[Row]) -> Iterator[Row | BadRow]:
    """Yield the rows without names; those of follow rules with names are put into `named`."""
    for row in rows:
        if rule_type is RuleType.FOLLOW and isinstance(row, Row) and _has_names(row.fields["value"]):
            named.append(row)
        else:
            yield row


def _has_names(value: str) -> bool:
    return not value.isdecimal() and any(names_in(value))


def names_in(value: str) -> Iterator[str]:
    """Yield the screen names of a value; none when a part of it is neither a name nor an id."""
    parts = [part.strip() for part in value.split(",")]
    matches = [_NAME.fullmatch(part) for part in parts]
    if all(matches):
        yield from (match[1] for match in matches if match is not None and not match[0].isdecimal())


def with_ids(row: Row, accounts: Mapping[str, XAccount]) -> Row | BadRow:
    """Return the row with ids in place of its names, or why an account is missing."""
    ids, names = [], []
    for part in row.fields["value"].split(","):
        name = part.strip().removeprefix("@")
        if part.strip().isdecimal():
            ids.append(part.strip())
            names.append("")
            continue
        account = accounts[name.lower()]
        if account.gone:
            return BadRow(row.number, f"no account for @{name}: {account.gone}")
        ids.append(account.id)
        names.append(account.username)
    return Row(row.number, {**row.fields, "value": ",".join(ids), FIELD: ",".join(names)})
