"""The text of an HTML page, as tests of a body's text see it: without tags, comments, scripts and styles."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from mtad.sieve.comparators import ascii_casemap

LENGTH_MAX = 1 << 18  # of a page; what is behind is not seen

_NAME = re.compile(r"/?([A-Za-z][A-Za-z0-9]{0,20})")
_HIDDEN = {"script": "</script", "style": "</style"}


def text_of_html(page: str) -> str:
    """Return what a reader sees, about; the time is linear in the page, however broken it is."""
    return html.unescape("".join(_texts(page[:LENGTH_MAX])))


def _texts(page: str) -> Iterator[str]:
    folded = ascii_casemap(page)  # no letter becomes two: places stay the same
    at = 0
    while (opened := page.find("<", at)) >= 0:
        yield page[at:opened]
        if page.startswith("<!--", opened):
            end = page.find("-->", opened)
            at = len(page) if end < 0 else end + len("-->")
            continue
        name = _NAME.match(page, opened + 1)
        if name is None and not page.startswith("!", opened + 1):
            yield "<"
            at = opened + 1
            continue
        start = opened
        if name is not None and name[1].lower() in _HIDDEN and page[opened + 1] != "/":
            start = folded.find(_HIDDEN[name[1].lower()], opened)
        end = page.find(">", start) if start >= 0 else -1
        at = len(page) if end < 0 else end + 1
    yield page[at:]
