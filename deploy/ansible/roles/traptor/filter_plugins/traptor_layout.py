"""Which host collects which groups of rules, and with which keys of the pool.

The layout follows from the inventory and the pool alone, so each run and each host comes to the same result.
Their order does not matter, and a key or a host that comes or goes moves few keys (rendezvous hashing).
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

Key = Mapping[str, Any]

V2 = "v2"
NODES = "traptor-nodes"
TYPES = {
    "traptor-follow-nodes": "follow",
    "traptor-track-nodes": "track",
    "traptor-location-nodes": "locations",
}


class LayoutError(Exception):
    """The inventory and the pool do not fit together; the message says what to change, without secrets."""


# ---- groups of rules


def groups_of_hosts(
    members: Mapping[str, Sequence[str]], pinned: Mapping[str, Sequence[int]]
) -> dict[str, list[str]]:
    """Return for each host its groups of rules, such as follow:0.

    `members`: hosts by inventory group. `pinned`: the ids of hosts that name them. The others take the lowest
    ids that are free, in the inventory's order. Raises LayoutError when two hosts would serve one group.
    """
    found: dict[str, list[str]] = {host: [] for host in members.get(NODES, ())}
    for inventory_group, rule_type in TYPES.items():
        hosts = members.get(inventory_group, ())
        owners = _owners(rule_type, {host: pinned[host] for host in hosts if pinned.get(host)})
        free = (number for number in range(len(owners) + len(hosts)) if number not in owners)
        owners |= {next(free): host for host in hosts if not pinned.get(host)}
        for number, host in sorted(owners.items()):
            found.setdefault(host, []).append(f"{rule_type}:{number}")
    return found


def _owners(rule_type: str, pinned: Mapping[str, Sequence[int]]) -> dict[int, str]:
    owners: dict[int, str] = {}
    for host, numbers in pinned.items():
        for number in numbers:
            if owners.setdefault(number, host) != host:
                raise LayoutError(
                    f"{owners[number]} and {host} both serve {rule_type}:{number}: see traptor_ids"
                )
    return owners


# ---- keys


def key_id(key: Key) -> str:
    """Return the id that the supervisor gives a key; it stays when secrets are renewed."""
    consumer_key = str(key.get("consumer_key") or "")
    parts = [consumer_key, str(key.get("access_token") or "")]
    if not consumer_key:
        parts = [str(key.get("bearer_token") or "")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]


def slices(keys: Sequence[Key], wanted: Mapping[str, int]) -> dict[str, list[Key]]:
    """Return each host's keys, in the pool's order; `wanted`: how many keys a host needs at least.

    A key that names its `host` goes there. Then every host gets what it needs, then a spare, then the rest go
    where they hash. Raises LayoutError when there are too few keys.
    """
    ids = _distinct_ids(keys)
    owner = _needed(keys, ids, wanted)
    _fill(ids, {host: number + 1 for host, number in wanted.items()}, owner)
    if wanted:
        owner |= {one: max(wanted, key=lambda host: _score(one, host)) for one in ids if one not in owner}
    return _by_host(keys, ids, owner, wanted)


def slices_without_spares(keys: Sequence[Key], wanted: Mapping[str, int]) -> dict[str, list[Key]]:
    """Return the same without spares: API v2 has no use for an app that serves no group."""
    ids = _distinct_ids(keys)
    return _by_host(keys, ids, _needed(keys, ids, wanted), wanted)


def _needed(keys: Sequence[Key], ids: Sequence[str], wanted: Mapping[str, int]) -> dict[str, str]:
    owner = _named(keys, ids, wanted)
    _fill(ids, wanted, owner)
    _require_enough(len(keys), wanted, Counter(owner.values()))
    return owner


def _by_host(
    keys: Sequence[Key], ids: Sequence[str], owner: Mapping[str, str], hosts: Iterable[str]
) -> dict[str, list[Key]]:
    found: dict[str, list[Key]] = {host: [] for host in hosts}
    for one, key in zip(ids, keys, strict=True):
        if one in owner:
            found[owner[one]].append({name: value for name, value in key.items() if name != "host"})
    return found


def _distinct_ids(keys: Sequence[Key]) -> list[str]:
    ids = [key_id(key) for key in keys]
    places: dict[str, int] = {}
    for number, one in enumerate(ids, start=1):
        if one in places:
            raise LayoutError(f"apikeys: entries {places[one]} and {number} are the same key; remove one")
        places[one] = number
    return ids


def _named(keys: Sequence[Key], ids: Sequence[str], wanted: Mapping[str, int]) -> dict[str, str]:
    owner = {}
    for number, (one, key) in enumerate(zip(ids, keys, strict=True), start=1):
        if (host := key.get("host")) is None:
            continue
        if host not in wanted:
            raise LayoutError(f"apikeys: entry {number} is for {host}, which is not in the group {NODES}")
        owner[one] = str(host)
    return owner


def _fill(ids: Iterable[str], level: Mapping[str, int], owner: dict[str, str]) -> None:
    """Give keys without an owner to hosts below their level, the best matching pairs first."""
    count = Counter(owner.values())
    free = [one for one in ids if one not in owner]
    pairs = sorted(((_score(one, host), one, host) for one in free for host in level), reverse=True)
    for _, one, host in pairs:
        if one not in owner and count[host] < level[host]:
            owner[one] = host
            count[host] += 1


def _require_enough(keys: int, wanted: Mapping[str, int], count: Mapping[str, int]) -> None:
    short = sorted(host for host, number in wanted.items() if count.get(host, 0) < number)
    if short:
        raise LayoutError(
            f"apikeys has {keys} keys, and the hosts need {sum(wanted.values())}: too few for "
            f"{', '.join(short)}; add keys, take hosts away, or look for keys that name another host"
        )


def _score(one: str, host: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{one} {host}".encode()).digest()[:8], "big")


# ---- what is on a host already


def first_keys(keys: Sequence[Key], host: str, present: Mapping[str, str | None]) -> list[Key]:
    """Return those of a host's keys that it may use before the other hosts have given up theirs.

    `present`: the key file that each host has now; None for one that was not asked, which may hold any key.
    """
    own = set(ids_of(present.get(host) or ""))
    others = {one for name, text in present.items() if name != host for one in ids_of(text or "")}
    is_known = None not in present.values()
    return [key for key in keys if key_id(key) in own or (is_known and key_id(key) not in others)]


def ids_of(keys: str | Sequence[Key]) -> list[str]:
    """Return the ids of keys, or of those in the text of a key file."""
    if isinstance(keys, str):
        keys = (yaml.safe_load(keys) or {}).get("apikeys") or ()
    return [key_id(key) for key in keys]


def restart_options(present: str, wanted: str, restarting: Iterable[str]) -> list[str]:
    """Return which of the options `restarting` (section.option) two versions of the ini differ in."""
    before, after = _options(present), _options(wanted)
    return sorted(name for name in restarting if before and before.get(name) != after.get(name))


def _options(text: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are taken as written
    parser.read_string(text)
    return {
        f"{section}.{name}": value for section in parser.sections() for name, value in parser.items(section)
    }


# ---- for Ansible


def layout(
    members: Mapping[str, Any], hostvars: Mapping[str, Any], keys: Sequence[Key], host: str, api: str
) -> Any:
    """Return the groups and keys of one host. With API v2, one app serves all groups of a host."""
    hosts = members.get(NODES, ())
    pinned = {one: [int(number) for number in hostvars[one].get("traptor_ids") or ()] for one in hosts}
    found = groups_of_hosts(members, pinned)
    connections = {one: 1 if api == V2 else len(found[one]) or 1 for one in hosts}
    wanted = {one: int(hostvars[one].get("traptor_keys_wanted") or connections[one]) for one in hosts}
    divide = slices_without_spares if api == V2 else slices
    return {"groups": found[host], "keys": divide(keys, wanted)[host]}


def first_step(
    keys: Sequence[Key], members: Mapping[str, Any], hostvars: Mapping[str, Any], host: str
) -> Any:
    """Return the keys that a host may use now, by what the play has registered of all hosts."""
    read = {one: hostvars[one].get("traptor_present_keys") for one in members.get(NODES, ())}
    present = {one: None if found is None else _text(found) for one, found in read.items()}
    return first_keys(keys, host, present)


def _text(slurped: Mapping[str, Any]) -> str:
    """Return what slurp read; a host without a file has no keys."""
    return base64.b64decode(str(slurped.get("content") or "")).decode()


def _told(function: Any) -> Any:
    def filtered(*args: Any) -> Any:
        try:
            return function(*args)
        except LayoutError as error:
            raise AnsibleFilterError(str(error)) from None

    return filtered


class FilterModule:
    """The filters, by the names that templates use."""

    def filters(self) -> dict[str, Any]:
        """Return the filters."""
        return {
            "traptor_layout": _told(layout),
            "traptor_first_keys": first_step,
            "traptor_key_ids": ids_of,
            "traptor_restart_options": restart_options,
        }
