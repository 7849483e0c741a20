"""Rules cut into messages and joined again."""

from __future__ import annotations

import random

import pytest

from traptor.common.errors import ProtocolError
from traptor.common.filters import Meaning
from traptor.common.messages import MAX_FRAME_BYTES, Rules, frame
from traptor.common.pieces import PIECE_BYTES, Joint, RulesChange, change_to, cut
from traptor.common.rules.rule import GroupId, Rule

GROUP = GroupId.parse("track:0")
RULES = tuple(
    Rule(f"traptor-track:0:{n}", str(n), GROUP, (f"word{n}", "é"), b'{"x":"%b"}' % (b"y" * 40))
    for n in range(5)
)
LARGE = Rule("traptor-track:0:big", "big", GROUP, ("big",), b'"%b"' % (b"z" * 3 * PIECE_BYTES))
MEANINGS = (Meaning("12", "track:0", ("word1", "é"), True), Meaning("13", "track:0", ("word2",), False))


def joined(messages: list[Rules], joint: Joint | None = None) -> list[RulesChange | None]:
    joint = joint or Joint()
    return [joint.take(message) for message in messages]


@pytest.mark.parametrize("rules", [(), RULES, (*RULES, LARGE)], ids=["none", "some", "a large one"])
def test_a_change_arrives_whole_with_its_last_piece(rules: tuple[Rule, ...]) -> None:
    messages = list(cut(1, change_to(rules, MEANINGS)))
    assert [message.is_last for message in messages] == [False] * (len(messages) - 1) + [True]
    assert all(len(frame(message)) < MAX_FRAME_BYTES for message in messages)
    *before, last = joined(messages)
    assert before == [None] * (len(messages) - 1)
    assert last is not None
    assert (last.rules(()), last.meanings) == (rules, MEANINGS)


def test_a_new_change_replaces_one_that_did_not_end() -> None:
    cut_short = list(cut(1, change_to((LARGE,), ())))[:-1]
    (*_, last) = joined([*cut_short, *cut(2, change_to(RULES, MEANINGS))])
    assert last == change_to(RULES, MEANINGS)


def test_pieces_out_of_order_are_refused() -> None:
    first, second, *rest = cut(3, change_to((LARGE,), ()))
    for wrong in ([second], [first, first], [first, rest[0]], [first, Rules(4, 1, False, b"")]):
        with pytest.raises(ProtocolError, match="out of order"):
            joined(wrong)
    joint = Joint()
    joined([first, second, *rest], joint)
    with pytest.raises(ProtocolError, match="out of order"):
        joint.take(Rules(3, 0, True, b""))


def test_rubbish_is_refused_and_the_rules_are_not_shown() -> None:
    (message,) = cut(1, change_to(RULES, MEANINGS))
    random.seed(5)
    for _ in range(50):
        data = bytearray(message.data)
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        try:
            joined([Rules(1, 0, True, bytes(data))])
        except ProtocolError as error:
            assert "word" not in str(error)
    assert "word" not in repr(message)
