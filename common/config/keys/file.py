"""Read keys from a YAML file like Ansible's group_vars: the list `apikeys`, whatever else the file holds.

The file is composed into nodes and never constructed into objects, so that each value keeps its line, its
text as written (a number stays as typed) and its tag. PyYAML's own messages quote the file, which holds
secrets; they are not used.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from traptor.common.config.keys.draft import MEMBERS, KeyDraft
from traptor.common.config.report import Position, Problems
from traptor.common.config.source.expansion import Value
from traptor.common.config.spelling import unknown_member

LIST_NAME = "apikeys"
_ENTRY_MEMBERS = ("name", *MEMBERS)
_VAULT_HEADER = "$ANSIBLE_VAULT"
_VAULT_ADVICE = "decrypt it where it is installed, as an Ansible template task does"
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({f"{_TAG}{name}" for name in ("str", "int", "float")})
_NULL_TAG = f"{_TAG}null"
_TEMPLATE = "{{"


class KeyFile:
    """Reads the drafts of keys from one file's text; all problems go to the report."""

    def __init__(self, file: str, report: Problems) -> None:
        self._file = file
        self._report = report

    def read(self, text: str) -> list[KeyDraft]:
        """Return the usable entries of the list `apikeys`."""
        if text.startswith(_VAULT_HEADER):
            self._report.problem(Position(self._file, 1), f"is encrypted with ansible-vault; {_VAULT_ADVICE}")
            return []
        document = self._compose(text)
        entries = None if document is None else self._list(document)
        return [] if entries is None else list(self._drafts(entries))

    def _compose(self, text: str) -> yaml.MappingNode | None:
        try:
            node = yaml.compose(text, yaml.SafeLoader)
        except yaml.composer.ComposerError as error:
            self._report.problem(
                self._mark(error.problem_mark),
                "not YAML that can be read: an anchor or alias is wrong, or a second document begins"
                " (a value that begins with * or & needs quotes)",
            )
        except yaml.MarkedYAMLError as error:
            self._report.problem(
                self._mark(error.problem_mark or error.context_mark),
                "not YAML: check quotes, colons and indentation in this line and above",
            )
        except yaml.YAMLError:
            self._report.problem(Position(self._file), "not YAML: it has characters that YAML does not allow")
        except RecursionError:
            self._report.problem(Position(self._file), "not a list of keys: it is nested too deeply")
        except (ValueError, OverflowError):  # from int() and chr(), by which PyYAML reads escapes
            self._report.problem(
                Position(self._file), "not YAML: an escape such as \\U stands for no character"
            )
        else:
            if isinstance(node, yaml.MappingNode):
                return node
            self._report.problem(Position(self._file), f"must have the list `{LIST_NAME}:` at its top level")
        return None

    def _list(self, document: yaml.MappingNode) -> yaml.SequenceNode | None:
        named = [(key, node) for key, node in document.value if key.value == LIST_NAME]
        if not named:
            self._report.problem(Position(self._file), f"has no list `{LIST_NAME}:` at its top level")
            return None
        for key, _ in named[1:]:
            self._report.problem(
                self._place(key, LIST_NAME), f"is already there, in line {_line(named[0][0])}"
            )
        node = named[0][1]
        if isinstance(node, yaml.SequenceNode):
            return node
        self._report.problem(
            self._place(node, LIST_NAME), _why_not(node, "a list, with one `- ` for each key")
        )
        return None

    def _drafts(self, entries: yaml.SequenceNode) -> Iterator[KeyDraft]:
        for number, node in enumerate(entries.value, start=1):
            place = self._place(node, f"{LIST_NAME}[{number}]")
            if isinstance(node, yaml.MappingNode):
                yield self._draft(node, place)
            else:
                self._report.problem(
                    place, _why_not(node, "the members of one key, such as consumer_key: ...")
                )

    def _draft(self, node: yaml.MappingNode, place: Position) -> KeyDraft:
        members: dict[str, Value | None] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            here = Position(self._file, _line(key), place.what)
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in _ENTRY_MEMBERS:
                self._report.problem(here, _unknown(name))
            elif name in members:
                self._report.problem(here.of(name), f"is already set, in line {lines[name]}")
            else:
                members[name] = self._value(value, here.of(name))
                lines[name] = _line(key)
        name_value = members.pop("name", None)
        return KeyDraft(place, members, name_value)

    def _value(self, node: yaml.Node, place: Position) -> Value | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == _NULL_TAG:
            return Value("", place)
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _TEXT_TAGS:
            self._report.problem(place, _why_not(node, "text; put it into quotes"))
            return None
        if _TEMPLATE in node.value:
            self._report.problem(
                place, "is an Ansible template; this file is read as it is: write the value itself"
            )
            return None
        return Value(node.value, place)

    def _mark(self, mark: yaml.Mark | None) -> Position:
        return Position(self._file, None if mark is None else mark.line + 1)

    def _place(self, node: yaml.Node, what: str) -> Position:
        return Position(self._file, _line(node), what)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _why_not(node: yaml.Node, wanted: str) -> str:
    if node.tag == "!vault":
        return f"is encrypted with ansible-vault; {_VAULT_ADVICE}"
    return f"must be {wanted}"


def _unknown(name: str) -> str:
    if name == "<<":
        return "merges (<<) are not read here; write the members out"
    return unknown_member(name, _ENTRY_MEMBERS)
