"""Every shape that TOML has for keys, tables and lists is found at its line."""

from __future__ import annotations

import pytest

from mtad.config.positions import Place, positions

TEXT = '''\
# a comment = "not a key"
top = 1
"quoted key" = [ # list
  1,   # [not.a.table]
  [2,
   3], "a,]#b",
]

[table]
a.b = 2
'lit.eral' = 3
long = """
[not.a.table]
k = "v" \\""" """
after = \'\'\'
# [x]
\'\'\'
ends = """"quoted""""
[ table . "su.b" ]
inline = { x = 1, y = { z = [ { deep = 1 },
  { deep = 2 } ] } }
date = 1979-05-27 07:32:00 # c
[[list.of]]
k = 1
[[list.of]]
k = 2
[list.of.more]
k = 3
[[list.of.inner]]
k = 4'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 2),
        (("quoted key",), 3),
        (("quoted key", 0), 4),
        (("quoted key", 1), 5),
        (("quoted key", 1, 1), 6),
        (("quoted key", 2), 6),
        (("table",), 9),
        (("table", "a"), 10),
        (("table", "a", "b"), 10),
        (("table", "lit.eral"), 11),
        (("table", "long"), 12),
        (("table", "after"), 15),
        (("table", "ends"), 18),
        (("table", "su.b"), 19),
        (("table", "su.b", "inline", "x"), 20),
        (("table", "su.b", "inline", "y", "z", 0, "deep"), 20),
        (("table", "su.b", "inline", "y", "z", 1, "deep"), 21),
        (("table", "su.b", "date"), 22),
        (("list", "of"), 23),
        (("list", "of", 0, "k"), 24),
        (("list", "of", 1), 25),
        (("list", "of", 1, "k"), 26),
        (("list", "of", 1, "more", "k"), 28),
        (("list", "of", 1, "inner", 0, "k"), 30),
    ],
)
def test_is_found_at_its_line(place: Place, line: int) -> None:
    assert positions(TEXT)[place] == line


def test_nothing_else_is_found() -> None:
    assert positions("") == {}
    assert positions("\n# k = 1\n") == {}
    assert positions('k = "a # b" # c\r\nj = 1\r\n') == {("k",): 1, ("j",): 2}


def test_what_is_not_toml_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="character 0"):
        positions("= 1")
