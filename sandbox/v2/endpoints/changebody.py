"""The content of a POST to the rules endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from traptor.sandbox.errors import BadInput
from traptor.sandbox.tweets.twitterjson import parse_json
from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.parameters.paging import check_names, flag


@dataclass(frozen=True, slots=True)
class Wanted:
    """One filter to add."""

    value: str
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Exactly one of: filters to add, filters to delete by id or value, all to delete."""

    add: tuple[Wanted, ...] = ()
    delete_ids: tuple[str, ...] = ()
    delete_values: tuple[str, ...] = ()
    deletes_all: bool = False
    is_dry_run: bool = False


def parse_change(query: Mapping[str, str], raw: bytes) -> Change:
    """Read query and body. Raises Problem (400)."""
    check_names(query, ("delete_all", "dry_run"))
    is_dry_run = flag(query, "dry_run")
    body = _body(raw)
    asked = [name for name in ("add", "delete") if name in body]
    if flag(query, "delete_all"):
        if asked:
            raise problems.invalid_request("`delete_all` goes with neither `add` nor `delete`")
        return Change(deletes_all=True, is_dry_run=is_dry_run)
    if len(asked) != 1:
        raise problems.invalid_request("Exactly one of `add` and `delete` is expected")
    if unknown := sorted(body.keys() - {"add", "delete"}):
        raise problems.invalid_request(f"$.{unknown[0]}: is not defined in the schema")
    if asked == ["add"]:
        return Change(add=_additions(body["add"]), is_dry_run=is_dry_run)
    return _deletion(body["delete"], is_dry_run=is_dry_run)


def _body(raw: bytes) -> dict[str, object]:
    if not raw.strip():
        return {}
    try:
        body = parse_json(raw)
    except BadInput:
        raise problems.invalid_request("The body is not JSON") from None
    if not isinstance(body, dict):
        raise problems.invalid_request("The body is not an object")
    return body


def _additions(items: object) -> tuple[Wanted, ...]:
    if not isinstance(items, list) or not items:
        raise problems.invalid_request("$.add: a list that is not empty is expected")
    return tuple(_wanted(number, item) for number, item in enumerate(items))


def _wanted(number: int, item: object) -> Wanted:
    if not isinstance(item, dict) or not isinstance(item.get("value"), str):
        raise problems.invalid_request(f"$.add[{number}].value: is missing but it is required")
    tag = item.get("tag")
    if tag is not None and not isinstance(tag, str):
        raise problems.invalid_request(f"$.add[{number}].tag: a string is expected")
    if unknown := sorted(item.keys() - {"value", "tag"}):
        raise problems.invalid_request(f"$.add[{number}].{unknown[0]}: is not defined in the schema")
    return Wanted(item["value"], tag)


def _deletion(item: object, *, is_dry_run: bool) -> Change:
    if not isinstance(item, dict) or not item or item.keys() - {"ids", "values"}:
        raise problems.invalid_request("$.delete: an object with ids or values is expected")
    return Change(delete_ids=_texts("ids", item), delete_values=_texts("values", item), is_dry_run=is_dry_run)


def _texts(name: str, item: Mapping[str, object]) -> tuple[str, ...]:
    if name not in item:
        return ()
    texts = item[name]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise problems.invalid_request(f"$.delete.{name}: a list of strings is expected")
    return tuple(texts)
