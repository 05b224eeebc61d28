"""The canonical forms of bodies are those of dkimpy, whatever the body."""

from __future__ import annotations

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import example, given
from hypothesis import strategies as st

from mtad.auth.dkim import BodyForm, canonical_body

LINES = st.lists(st.sampled_from([b" ", b"\t", b"  ", b"\r\n", b"\r\n", b".", b"a", b"\xff"]), max_size=30).map(
    b"".join
)


@pytest.mark.parametrize(("form", "reference"), [(BodyForm.SIMPLE, Simple), (BodyForm.RELAXED, Relaxed)])
def test_canonical_body(form: BodyForm, reference: type[Simple] | type[Relaxed]) -> None:
    @given(LINES)
    @example(b"")
    @example(b"\r\n")
    @example(b" \r\n\t\r\n")
    @example(b"a \t b \r\n\r\n")
    def same(body: bytes) -> None:
        if body.endswith((b" ", b"\t")):  # content always ends with CRLF; dkimpy keeps blanks that do not
            body += b"\r\n"
        assert canonical_body(body, form) == reference.canonicalize_body(body)

    same()


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a"]), max_size=20).map(b"".join))
@example(b"a\n\r\n\r\n")
@example(b"\r\n\r")
def test_only_whole_line_ends_of_binary_content_are_empty_lines(body: bytes) -> None:
    kept = body
    while kept.endswith(b"\r\n"):
        kept = kept[:-2]
    assert canonical_body(body, BodyForm.SIMPLE) == kept + b"\r\n"
    assert canonical_body(body, BodyForm.RELAXED) == (kept + b"\r\n" if kept else b"")
