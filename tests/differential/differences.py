"""Where we differ from Pigeonhole on purpose: each with a test that shows it, both answers, and the reason.

The generator leaves these constructions out, and nothing else. docs/explanation/sieve-differences.md tells them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """One difference.

    test       true to the one and false to the other
    is_true    to us
    needs      the capabilities of the test
    before     commands before it
    """

    name: str
    test: str
    content: str
    is_true: bool
    why: str
    needs: tuple[str, ...] = ()
    before: str = ""


KNOWN = (
    Known(
        "nothing is no number",
        'header :comparator "i;ascii-numeric" "X-A" "acme"',
        "X-A:\n\n",
        True,
        "RFC 4790 §9.1.1: a string that starts with no digit is infinite, and so is an empty one. To Pigeonhole "
        "the empty string is less than every other.",
        ("comparator-i;ascii-numeric",),
    ),
    Known(
        "addresses without detail are not counted",
        'address :count "eq" :detail "to" "1"',
        "To: rr+list@acme.example, rr@acme.example\n\n",
        True,
        "RFC 5233 §4: an address without a separator has no detail. Pigeonhole counts it.",
        ("relational", "subaddress"),
    ),
    Known(
        "a folded line keeps its tab",
        'header "X-A" "one\ttwo"',
        "X-A: one\n\ttwo\n\n",
        True,
        "RFC 5322 §2.2.3: unfolding takes the line end away and nothing else. Dovecot makes a space of a tab there.",
    ),
    Known(
        "two question marks need two letters",
        'header :matches "X-A" "??*"',
        "X-A: a\n\n",
        False,
        "RFC 5228 §2.7.1: each ? is one character. Pigeonhole finds `??*` in a value of one letter.",
    ),
    Known(
        "a question mark is a letter",
        'header :matches "X-A" "?"',
        "X-A: =?utf-8?q?=C3=BC?=\n\n",
        True,
        "RFC 5228 §2.7.1 takes each octet for a character there, and Pigeonhole does. Who writes `?` means a letter, "
        "and half of one, in a variable, is no text: Pigeonhole's fileinto fails of it.",
    ),
    Known(
        "a variable set to itself keeps its value",
        'string "${itself}" "one"',
        "X-A: one\n\n",
        True,
        "RFC 5229 §4: the value is what the string expands to. Pigeonhole empties a variable that is set to "
        "itself alone.",
        ("variables",),
        'set "itself" "one"; set "itself" "${itself}";',
    ),
)
