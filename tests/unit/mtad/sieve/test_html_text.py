from __future__ import annotations

import time

import pytest

from mtad.sieve.html_text import REFERENCES_MAX, TAGS_MAX, text_of_html


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("plain", "plain"),
        ("<p>a <b class='x'>b</b></p>", "a b "),
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
        ("<p>a</p><p>b</p>c<br>d", "a b c d"),
        ("a \n<td>b</td> <td>c", "a \nb  c"),
        ("<img alt='a>b' src = \"c>d\">e", "e"),
        ("<a '>b", "b"),
        ('a<b x="never ends', "a"),
        ("<b x='>a>b", "a>b"),
        ("a<!-- b --!>c<!---->d<!-->e", "acde"),
    ],
)
def test_what_a_reader_sees(page: str, expected: str) -> None:
    assert text_of_html(page) == expected


def test_tags_behind_the_limit_are_not_seen() -> None:
    assert text_of_html("<b>a" * TAGS_MAX + "<b>b") == "a" * (TAGS_MAX - 1)


def test_references_behind_the_limit_stay_as_they_are() -> None:
    assert text_of_html("&lt;" * (REFERENCES_MAX + 1)) == "<" * (REFERENCES_MAX - 1) + "&lt;&lt;"


@pytest.mark.parametrize("piece", ["<", "<script>", "<!--", "<a", '<a ="', "<a='x", "<p>", "&x", "<script></script"])
def test_a_hostile_page_costs_no_more_than_its_length(piece: str) -> None:
    started = time.process_time()
    text_of_html(piece * 100_000)
    assert time.process_time() - started < 2
