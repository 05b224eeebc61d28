"""Wildcards agree with a slow and obvious matcher; nothing in a message makes reading it fault."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from mtad.sieve.addresses import ADDRESS_PARTS, addresses_in
from mtad.sieve.encoded_word import decoded
from mtad.sieve.message import Message
from mtad.sieve.wildcard import Wildcard

PATTERNS = st.lists(st.sampled_from(["*", "?", "a", "b", "\\*", "\\?", "\\\\"]), max_size=10).map("".join)
VALUES = st.text(alphabet="ab*?\\", max_size=12)


def obviously_matches(pattern: str, value: str) -> bool:
    """Match by trying everything."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(obviously_matches(pattern[1:], value[i:]) for i in range(len(value) + 1))
    if pattern[0] == "?":
        return bool(value) and obviously_matches(pattern[1:], value[1:])
    length = 2 if pattern[0] == "\\" else 1
    return value[:1] == pattern[length - 1] and obviously_matches(pattern[length:], value[1:])


def test_wildcards_match_as_they_read() -> None:
    seen: Counter[bool] = Counter()

    @settings(max_examples=1500, deadline=None)
    @given(PATTERNS, VALUES)
    def check(pattern: str, value: str) -> None:
        expected = obviously_matches(pattern, value)
        assert Wildcard(pattern).is_match(value) is expected
        seen[expected] += 1

    check()
    assert min(seen[True], seen[False]) > 20, seen


PIECES = st.sampled_from(
    [
        *'()<>,;:@.[]"\\ \t',
        "\r\n",
        "\r\n ",
        "a",
        "=?utf-8?q?a?=",
        "=?utf-8?b?YQ==?=",
        "=?",
        "?=",
        "é",
        "\0",
        "To:",
        "\ud8ff",
    ]
)
FIELDS = st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=40)


@settings(max_examples=500, deadline=None)
@given(FIELDS)
def test_no_field_makes_reading_it_fault(value: str) -> None:
    decoded(value)
    for address in addresses_in(value):
        assert address
        for part in ADDRESS_PARTS.values():
            part(address)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | FIELDS.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_content_makes_reading_it_fault(content: bytes) -> None:
    message = Message(content)
    for name in ("to", "subject", ""):
        assert message.has(name) is bool(message.values(name))
        message.addresses(name)


LOCAL_PARTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=8)


@given(LOCAL_PARTS)
def test_a_quoted_local_part_is_found_again(local_part: str) -> None:
    quoted = '"' + local_part.replace("\\", "\\\\").replace('"', '\\"') + '"@x.example'
    for field in (quoted, f"Name <{quoted}>", f"other@y.example, {quoted}"):
        found = addresses_in(field)
        assert found[-1] == quoted
        assert ADDRESS_PARTS[":localpart"](found[-1]) == local_part
        assert ADDRESS_PARTS[":domain"](found[-1]) == "x.example"
