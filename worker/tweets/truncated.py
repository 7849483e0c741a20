"""Cut rules to their ids when a tweet with all their fields is too large to be delivered."""

from __future__ import annotations

import json
from typing import Any

from traptor.common.rules.rule import Rule

# The last occurrence in a tweet: within a string every quotation mark follows a backslash.
_MEMBER = b',"traptor":'


def truncated_json(rule: Rule) -> bytes:
    """Return the member of `collection_rules` for a rule without its fields."""
    return _text(_truncated({"rule_id": rule.rule_id}))


def truncated_body(body: bytes) -> bytes | None:
    """Return a delivered tweet with its rules cut to their ids; None when that makes it no smaller."""
    start = body.rfind(_MEMBER)
    if start < 0:
        return None
    try:
        added = json.loads(b"{" + body[start + 1 :])["traptor"]
        added["collection_rules"] = list(map(_truncated, added["collection_rules"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # not one of ours
        return None
    shorter = b"%b%b%b}" % (body[:start], _MEMBER, _text(added))
    return shorter if len(shorter) < len(body) else None


def _truncated(rule: dict[str, Any]) -> dict[str, Any]:
    inferred = {"inferred": rule["inferred"]} if "inferred" in rule else {}
    return {"rule_id": rule["rule_id"], "truncated": True, **inferred}


def _text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
