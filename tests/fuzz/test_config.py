"""The whole sample ini and whole key files, broken in any way: settings or problems, and never a secret."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.fuzzing import examples, mangled
from support.planted import SECRET, everything_shown

from traptor.common.config.sample import sample_ini
from traptor.common.config.settings import load_settings
from traptor.common.errors import ConfigError

OAUTH = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
SECTION = "[key:a]\n" + "".join(f"{part} = {SECRET}\n" for part in OAUTH)
# What may be shown stands behind the secrets: a line that was torn does not put one into its place.
INI = (
    f"[redis]\nurl = redis://user:{SECRET}@127.0.0.1:6379/0\n{SECTION}"
    f"proxy = http://user:{SECRET}@proxy.example:3128\n"
    "[traptor]\noutput = jsonl:-\n[keys]\nfile = keys.yml\n[logging]\nlevel = INFO\n"
)
ENTRY = "- name: k\n" + "".join(f"  {part}: {SECRET}-{part}\n" for part in OAUTH)
KEY_FILE = f"# keys\napikeys:\n{ENTRY}"

YAML_TRICKS = [
    "!!python/object/apply:os.system ['touch owned']",
    "!!python/object/new:os.system [touch owned]",
    "!!binary c2VjcmV0",
    "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132",
    "&a [*a, *a]",
    "*a",
    "<<: *a",
    "&a {<<: *a}",
    "? [a, b]\n  : c",
    "{{ lookup('env', 'HOME') }}",
    "0o17",
    "1_000",
    ".inf",
    "2001-01-01",
    "~",
    "|+\n",
    "[" * 3_000,
    "{a: " * 1_000,
    "a" * 2_000,
]
BOMB = (
    "a: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"b{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(12))
    + f"apikeys: *a12\nmore: {SECRET}\n"
)
INI_TRICKS = [
    "\r", "\n", "\0", "\ufeff", "[", "]", "=", ":", ";", "#", "${", "${file:keys.yml}", "${file:/dev/zero}",
    "${X}", "[DEFAULT]\n", "[key:a]\n", "[key:b]\n", "\n  ", "%(x)s", "\u2028", "\x1c", "x" * 2_000,
    "[keys]\nfile = .\n",
]  # fmt: skip


@st.composite
def edited(draw: st.DrawFn, text: str, tricks: list[str]) -> bytes:
    """The text with lines gone, doubled, moved or begun otherwise, and tricks in any place."""
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 4))):
        number = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "move", "trick", "indent", "cut"])):
            case "drop":
                lines[number] = ""
            case "double":
                lines[number] *= 2
            case "move":
                lines.append(lines[number])
            case "trick":
                place = draw(st.integers(0, len(lines[number])))
                trick = draw(st.sampled_from(tricks))
                lines[number] = lines[number][:place] + trick + lines[number][place:]
            case "indent":
                lines[number] = "  " + lines[number]
            case "cut":
                lines[number] = lines[number][draw(st.integers(0, len(lines[number]))) :]
    return "".join(lines).encode(errors="surrogatepass")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def check(folder: Path, ini: bytes, key_file: bytes) -> None:
    """Settings or problems, soon, and no secret in them."""
    (folder / "traptor.ini").write_bytes(ini)
    (folder / "keys.yml").write_bytes(key_file)
    began = time.monotonic()
    try:
        settings = load_settings(folder / "traptor.ini", {"X": f"{SECRET} {SECRET}"})
    except ConfigError as error:
        assert error.problems
        shown = everything_shown(error)
    else:
        shown = "\n".join([repr(settings), *settings.warnings, settings.redis.masked_url])
    assert SECRET.lower() not in shown.lower()
    assert time.monotonic() - began < 60
    assert not (folder / "owned").exists()


@examples(50)
@given(ini=st.one_of(edited(INI, INI_TRICKS), mangled(INI.encode())))
@example(ini=INI.replace("= keys.yml", "= ${file:keys.yml} keys.yml").encode())
@example(ini=INI.replace("= keys.yml", "= ${X}").encode())
@example(ini=INI.replace("= jsonl:-", f"= {SECRET}").encode())
@example(ini=INI.replace("= INFO", f"= INFO {SECRET}").encode())
@example(ini=INI.replace("redis://user:", "redis://user:\n").encode())
@example(ini=INI.replace("[traptor]", f"[traptor]\n{SECRET}: 1\n{SECRET}: 2").encode())
@example(ini=INI.replace("[traptor]", f"[kafka]\n{SECRET}.x = 1\n{SECRET}.x = '2'\n[traptor]").encode())
def test_an_ini_with_any_line_broken_is_read_or_refused_without_its_secrets(folder: Path, ini: bytes) -> None:
    check(folder, ini, KEY_FILE.encode())


@examples(30)
@given(ini=edited(sample_ini(), INI_TRICKS))
def test_the_sample_ini_with_any_line_broken_is_read_or_refused(folder: Path, ini: bytes) -> None:
    check(folder, ini, KEY_FILE.encode())


@examples(50)
@given(key_file=st.one_of(edited(KEY_FILE, YAML_TRICKS), mangled(KEY_FILE.encode())))
def test_a_key_file_with_any_line_broken_is_read_or_refused_without_its_secrets(
    folder: Path, key_file: bytes
) -> None:
    check(folder, INI.encode(), key_file)


def test_an_endless_name_is_cut_where_it_is_told(folder: Path) -> None:
    (folder / "traptor.ini").write_text(f"[{'x' * 100_000}]\n{'y' * 100_000} = 1\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(folder / "traptor.ini", {})
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize(
    "trick", [BOMB, "x: &x\n- *x\n" + KEY_FILE, KEY_FILE + ENTRY.replace(": ", ": &a ") * 500]
)
def test_a_yaml_bomb_is_small_for_who_constructs_nothing(folder: Path, trick: str) -> None:
    check(folder, INI.encode(), trick.encode())
