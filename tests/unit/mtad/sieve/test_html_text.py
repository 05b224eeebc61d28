from __future__ import annotations

import time

import pytest

from mtad.sieve.html_text import text_of_html


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("plain", "plain"),
        ("<p>a <b class='x'>b</b></p>", "a b"),
        ("a<!-- <b> -->c", "ac"),
        ("a<SCRIPT>x<y</Script >b", "ab"),
        ("a<style>x{}</style>b", "ab"),
        ("a<script>never ends", "a"),
        ("a<!-- never ends", "a"),
        ("a<b never ends", "a"),
        ("1 < 2 &lt; 3 &uuml;", "1 < 2 < 3 ü"),
        ("<!DOCTYPE html>a", "a"),
        ("</p>a", "a"),
        ("vi<b></b>agra", "viagra"),
    ],
)
def test_what_a_reader_sees(page: str, expected: str) -> None:
    assert text_of_html(page) == expected


@pytest.mark.parametrize("piece", ["<", "<script>", "<!--", "<a", "<script></script"])
def test_a_hostile_page_costs_no_more_than_its_length(piece: str) -> None:
    started = time.process_time()
    text_of_html(piece * 100_000)
    assert time.process_time() - started < 2
