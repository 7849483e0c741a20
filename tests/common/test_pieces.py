"""Rules cut into messages and joined again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.errors import ProtocolError
from traptor.common.filters import Meaning
from traptor.common.knowledge import Knowledge
from traptor.common.messages import MAX_FRAME_BYTES, Rules, frame
from traptor.common.pieces import PIECE_BYTES, Joint, RulesChange, change_to, cut
from traptor.common.rules.rule import GroupId, Rule

GROUP = GroupId.parse("track:0")
RULES = tuple(
    Rule(f"traptor-track:0:{n}", str(n), GROUP, (f"word{n}", "é"), b'{"x":"%b"}' % (b"y" * 40))
    for n in range(5)
)
LARGE = Rule("traptor-track:0:big", "big", GROUP, ("big",), b'"%b"' % (b"z" * 3 * PIECE_BYTES))
NOTHING = Knowledge()
MEANINGS = (Meaning("12", "track:0", ("word1", "é"), True), Meaning("13", "track:0", ("word2",), False))


def joined(messages: list[Rules], joint: Joint | None = None) -> list[RulesChange | None]:
    joint = joint or Joint()
    return [joint.take(message) for message in messages]


@pytest.mark.parametrize("rules", [(), RULES, (*RULES, LARGE)], ids=["none", "some", "a large one"])
def test_a_change_arrives_whole_with_its_last_piece(rules: tuple[Rule, ...]) -> None:
    messages = list(cut(1, change_to(Knowledge.of(rules, MEANINGS), NOTHING)))
    assert [message.is_last for message in messages] == [False] * (len(messages) - 1) + [True]
    assert all(len(frame(message)) < MAX_FRAME_BYTES for message in messages)
    *before, last = joined(messages)
    assert before == [None] * (len(messages) - 1)
    assert last is not None
    assert last.after(NOTHING) == Knowledge.of(rules, MEANINGS)


def test_pieces_out_of_order_are_refused() -> None:
    first, second, *rest = cut(1, change_to(Knowledge((LARGE,)), NOTHING))
    before_its_end, too_early = Rules(2, 0, True, b""), Rules(3, 0, True, b"")
    of_next = Rules(2, 1, False, b"")
    for wrong in ([second], [first, first], [first, rest[0]], [first, of_next], [first, before_its_end]):
        with pytest.raises(ProtocolError, match="out of order"):
            joined(wrong)
    joint = Joint()
    joined([first, second, *rest], joint)
    for again_or_too_early in (first, too_early):
        with pytest.raises(ProtocolError, match="out of order"):
            joint.take(again_or_too_early)


def test_rubbish_is_refused_and_the_rules_are_not_shown() -> None:
    (message,) = cut(1, change_to(Knowledge.of(RULES, MEANINGS), NOTHING))
    random.seed(5)
    for _ in range(50):
        data = bytearray(message.data)
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        try:
            joined([Rules(1, 0, True, bytes(data))])
        except ProtocolError as error:
            assert "word" not in str(error)
    assert "word" not in repr(message)


SOME_RULES = st.lists(st.sampled_from(RULES), unique=True).map(tuple)
SOME_MEANINGS = st.dictionaries(st.sampled_from("123"), st.sampled_from(["a", "b"])).map(
    lambda of: [Meaning(key, "track:0", (value,), False) for key, value in of.items()]
)
KNOWLEDGE = st.builds(Knowledge.of, SOME_RULES, SOME_MEANINGS)


@given(st.lists(KNOWLEDGE, min_size=1, max_size=5))
def test_one_change_after_the_other_makes_what_is_known_of_what_was(all_of: list[Knowledge]) -> None:
    joint, known, before = Joint(), NOTHING, NOTHING
    for number, now in enumerate(all_of, start=1):
        (change,) = joined(list(cut(number, change_to(now, before))), joint)
        assert change is not None
        known, before = change.after(known), now
        assert known == now


def test_a_change_brings_what_is_new_alone() -> None:
    before = Knowledge.of(RULES, MEANINGS)
    changed = Rule(RULES[2].key, "2", GROUP, ("another",), b"{}")
    more = Meaning("14", "track:0", ("a",), False)
    now = Knowledge.of((*RULES[:2], changed, *RULES[3:]), (MEANINGS[1], more))
    change = change_to(now, before)
    assert change.rules == ((0, 2), changed, (3, 5))
    assert (change.meanings, change.gone) == ((more,), ("12",))
    assert change.after(before).rules[4] is RULES[4]
    assert change_to(now, now).after(before).rules is before.rules


@pytest.mark.parametrize("run", [(0, 6), (-1, 2), (2, 2), (3, 2)])
def test_rules_and_filters_that_never_came_are_refused(run: tuple[int, int]) -> None:
    known = Knowledge.of(RULES, MEANINGS)
    for change in (RulesChange((run,)), RulesChange(((0, 5),), gone=("99",))):
        with pytest.raises(ProtocolError, match="never came"):
            change.after(known)
