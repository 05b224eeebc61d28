"""The text of an HTML page, as tests of a body's text see it: without tags, comments, scripts and styles."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from mtad.sieve.comparators import ascii_casemap

LENGTH_MAX = 1 << 18  # of a page; what is behind is not seen
TAGS_MAX = 1 << 14  # of a page; what is behind is not seen
REFERENCES_MAX = 1 << 14  # to characters, of a page; those behind stay as they are

_TAG = re.compile(r"<(?:!(--)?|/?([A-Za-z][A-Za-z0-9]{0,20}))")
_REST_OF_TAG = re.compile(r"""(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+>""")  # a value in quotes may hold what ends it
_COMMENT_END = re.compile(r"--!?>")
_HIDDEN = {"script": "</script", "style": "</style"}
_INLINE = re.compile(  # tags that keep no words apart
    "a|abbr|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|script|small|span|strike|strong|style|sub|sup"
    "|tt|u|var|wbr"
)


def text_of_html(page: str) -> str:
    """Return what a reader sees, about; the time is linear in the page, however broken it is."""
    shown = "".join(_apart(_texts(page[:LENGTH_MAX])))
    *pieces, rest = shown.split("&", REFERENCES_MAX)
    return html.unescape("&".join([*pieces, ""])) + rest if len(pieces) == REFERENCES_MAX else html.unescape(shown)


def _apart(texts: Iterator[str | None]) -> Iterator[str]:
    """Yield the texts with a blank between those that a gap keeps apart, where none is there."""
    last = " "
    for text in texts:
        shown = (" " if not last.isspace() else "") if text is None else text
        yield shown
        last = shown[-1:] or last


def _texts(page: str) -> Iterator[str | None]:
    """Yield what stands between the tags; None for a gap: a tag that begins a line, a cell or the like."""
    folded = ascii_casemap(page)  # no letter becomes two: places stay the same
    at = 0
    for _ in range(TAGS_MAX):
        found = _TAG.search(page, at)
        if found is None:
            yield page[at:]
            return
        yield page[at : found.start()]
        tag = (found[2] or "").lower()
        if found[1] is not None:
            end = _COMMENT_END.search(page, found.start())
        elif tag in _HIDDEN and page[found.start() + 1] != "/":
            closed = folded.find(_HIDDEN[tag], found.end())
            end = _REST_OF_TAG.match(page, closed) if closed >= 0 else None
        else:
            end = _REST_OF_TAG.match(page, found.end())
        if end is None:
            return
        at = end.end()
        if found[1] is None and _INLINE.fullmatch(tag) is None:
            yield None
