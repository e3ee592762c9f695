"""Every key is found on its own line, whatever stands around it."""

from __future__ import annotations

import pytest

from social.toml_lines import line_of

TEXT = '''\
title = "x"   # [[brands]] in a comment
[[brands]]
name = "one"
text = """
name = "not a key"
[[brands]]
"""
hours.mon = [
  "name = 5",  # ]
  "[profiles]",
]
[brands.deep]
"quoted key" = 1
[[brands]]
name = 'two [[brands]]'
[ brands . deep ]
other = { inline = 1 }
[connectors.kind]
base_url = "http://x"
[[profiles]]
[[profiles.steps]]
at = 1
[[profiles.steps]]
at = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 1),
        (("brands", 0), 2),
        (("brands", 0, "name"), 3),
        (("brands", 0, "text"), 4),
        (("brands", 0, "hours", "mon"), 8),
        (("brands", 0, "hours"), 8),
        (("brands", 0, "deep", "quoted key"), 13),
        (("brands", 1), 14),
        (("brands", 1, "name"), 15),
        (("brands", 1, "deep"), 16),
        (("brands", 1, "deep", "other", "inline"), 17),
        (("connectors", "kind", "base_url"), 19),
        (("connectors",), 18),
        (("profiles", 0, "steps", 1, "at"), 24),
    ],
)
def test_it_finds_the_line_of_a_key(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(TEXT, path) == line


def test_a_key_that_is_not_written_is_told_with_its_table() -> None:
    assert line_of(TEXT, ("brands", 1, "timezone")) == 14


LISTS = """\
[rules]
off = ["a", "b"]
own = [  # "no" string
  "one, [two]", 'three "and" four',
  "five",
]
deep = [["x"],
  ["y"]]
long = ['''text''']
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("rules", "off", 1), 2),
        (("rules", "own", 0), 4),
        (("rules", "own", 1), 4),
        (("rules", "own", 2), 5),
        (("rules", "own", 3), 3),
        (("rules", "deep", 1), 7),
        (("rules", "long", 0), 9),
    ],
)
def test_it_finds_the_line_of_an_element_or_of_its_list(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(LISTS, path) == line


def test_it_knows_no_line_for_what_is_not_there_at_all() -> None:
    assert line_of(TEXT, ("triage", "backend")) is None


@pytest.mark.parametrize("text", ["", "[", "[[", "= 1", '"""', "a = [[[", "[[a]]\n[a.b.c]\nx=1\n"])
def test_it_survives_text_that_is_no_toml(text: str) -> None:
    assert line_of(text, ("nothing", 1)) is None
