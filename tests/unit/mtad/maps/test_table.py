from __future__ import annotations

from mtad.maps.answer import ABSENT, Found, folded
from mtad.maps.lines import Line, Wrong
from mtad.maps.table import Table, read_table


def test_keys_are_folded_and_values_are_not() -> None:
    table = read_table("Ann@L.example  /Home/Ann x\nbob@l.example\n")
    assert isinstance(table, Table)
    assert table.get("ann@l.EXAMPLE") == Found("/Home/Ann x")
    assert table.get("bob@l.example") == Found("")
    assert table.get("carol@l.example") == ABSENT


def test_only_ascii_is_folded() -> None:
    assert folded("A\u212aZ\u0130") == "a\u212az\u0130"  # a Kelvin sign is no k, a dotted capital I no i


def test_a_key_that_stands_twice_is_wrong() -> None:
    assert read_table("a 1\nb 2\nA 3\na 4") == Wrong(
        (Line(3, '"a" stands here a second time'), Line(4, '"a" stands here a second time'))
    )
