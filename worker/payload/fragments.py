"""Pieces of JSON that several objects of v1.1 have."""

from __future__ import annotations

import re

_NOBODY = re.compile(rb"0|-[1-9][0-9]*")  # v1.1 gave -1 to mentioned users who were gone


def digits_of(an_id: str) -> bytes:
    """Return an id as a number, and as the inside of a string. Raises ValueError for what is no number."""
    digits = an_id.encode()
    if digits.isdigit() and an_id >= "1":  # JSON has no numbers that begin with 0
        return digits
    if _NOBODY.fullmatch(digits):
        return digits
    raise ValueError(f"{an_id!r} is no id")


def ids_of(name: bytes, an_id: str | None) -> bytes:
    """Return the two members that hold an id, as a number and as a string: `name` and `name_str`."""
    if an_id is None:
        return b',"%b":null,"%b_str":null' % (name, name)
    digits = digits_of(an_id)
    return b',"%b":%b,"%b_str":"%b"' % (name, digits, name, digits)


def counts_of(form: bytes, counts: tuple[int | None, ...]) -> bytes:
    """Return counts in this form; null for those that X did not tell."""
    try:
        return form % counts
    except TypeError:
        return form.replace(b"%d", b"%b") % tuple(b"null" if one is None else b"%d" % one for one in counts)


def http_of(address: bytes) -> bytes:
    """Return an address as that of the same without encryption; anything else as it is."""
    return b'"http:' + address[7:] if address.startswith(b'"https:') else address
