"""What stands in an ini is read with its line numbers, and what is no ini is told with them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from traptor.common.config.report import Problems
from traptor.common.config.source.ini import IniSection, read_ini


def read(text: str) -> tuple[dict[str, IniSection], list[str]]:
    report = Problems()
    return read_ini("t.ini", text, report), [str(problem) for problem in report.problems]


def texts(section: IniSection) -> dict[str, str]:
    return {name: value.text for name, value in section.values.items()}


def test_values_keep_their_lines() -> None:
    sections, problems = read("# head\n\n[a]\nx = 1\n\n; note\ny: two words \n[b]\nX=%(no)s = 2\n")
    assert problems == []
    assert texts(sections["a"]) == {"x": "1", "y": "two words"}
    assert texts(sections["b"]) == {"x": "%(no)s = 2"}
    assert [str(value.place) for value in sections["a"].values.values()] == ["t.ini:4 [a]", "t.ini:7 [a]"]
    assert str(sections["b"].place) == "t.ini:8 [b]"


def test_an_indented_line_belongs_to_the_value_above() -> None:
    sections, problems = read("[a]\nlist = one,\n   two\n\nnext = 3\n")
    assert problems == []
    assert texts(sections["a"]) == {"list": "one,\ntwo", "next": "3"}
    assert sections["a"].values["next"].place.line == 5


def test_a_hash_inside_a_value_is_no_comment() -> None:
    sections, _ = read("[a]\npassword = a#b ;c\n")
    assert texts(sections["a"]) == {"password": "a#b ;c"}


def test_a_value_set_twice_is_told_with_both_lines_and_the_first_counts() -> None:
    sections, problems = read("[a]\nx = 1\ny = 2\nX = 3\n")
    assert problems == ["t.ini:4 [a]: is already set, in line 2"]
    assert texts(sections["a"])["x"] == "1"


def test_a_section_that_is_there_twice_is_told_with_both_lines() -> None:
    sections, problems = read("[a]\nx = 1\n[b]\n[a]\ny = 2\n")
    assert problems == ["t.ini:4 [a]: is already there, in line 1"]
    assert texts(sections["a"]) == {"x": "1"}


def test_every_line_that_is_no_ini_is_told() -> None:
    _, problems = read("x = 1\ny = 2\n[a]\nnonsense\nz = 3\n[unclosed\n= value\n")
    where = [problem.split(": ")[0] for problem in problems]
    assert where == ["t.ini:1", "t.ini:2", "t.ini:4", "t.ini:6", "t.ini:7"]


def test_the_lines_count_alike_with_all_line_ends() -> None:
    for end in ("\n", "\r\n", "\r"):
        sections, problems = read(end.join(["[a]", "", "x = 1", ""]))
        assert problems == []
        assert sections["a"].values["x"].place.line == 3


def test_a_section_called_default_is_one_like_others() -> None:
    sections, _ = read("[DEFAULT]\nx = 1\n[a]\ny = 2\n")
    assert texts(sections["a"]) == {"y": "2"}
    assert texts(sections["DEFAULT"]) == {"x": "1"}


def test_a_line_is_placed_without_its_name_which_may_be_a_piece_of_a_secret() -> None:
    sections, problems = read("[key:a]\nc3VwZXI= x\n[redis]\nurl = redis://user:\nc3VwZXI= y\nc3VwZXI= z\n")
    assert [str(value.place) for value in sections["key:a"].values.values()] == ["t.ini:2 [key:a]"]
    assert "c3vwzxi" not in str([value.place for value in sections["redis"].values.values()]).lower()
    assert problems == ["t.ini:6 [redis]: is already set, in line 5"]


@given(st.text(alphabet=st.sampled_from("[]ab:=#; \t\n\r\x0b\x85\u2028%$0"), max_size=80))
def test_any_text_is_read_without_an_exception_and_lines_exist(text: str) -> None:
    sections, _ = read(text)
    lines = len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    for section in sections.values():
        for value in section.values.values():
            assert value.place.line is not None
            assert 1 <= value.place.line <= lines


_NAMES = st.text(alphabet="abcdefgh_", min_size=1, max_size=8)


@given(
    st.dictionaries(_NAMES, st.dictionaries(_NAMES, st.text(alphabet="xyz,:=#%[]", max_size=9), max_size=4))
)
def test_what_is_written_comes_back_with_its_line(content: dict[str, dict[str, str]]) -> None:
    lines: list[str] = []
    expected: dict[tuple[str, str], tuple[str, int]] = {}
    for section, values in content.items():
        lines.append(f"[{section}]")
        for name, value in values.items():
            lines.append(f"{name} = {value}")
            expected[section, name] = (value, len(lines))
    sections, problems = read("\n".join(lines))
    assert problems == []
    assert {
        (section.name, name): (value.text, value.place.line)
        for section in sections.values()
        for name, value in section.values.items()
    } == expected
