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
    Known(
        "the index of a date counts",
        'date :index 2 :originalzone "Date" "year" "2024"',
        "Date: Mon, 01 Jan 2024 00:00:00 +0000\n\n",
        False,
        "RFC 5260 §6: `:index` chooses the field for date as for header. Pigeonhole's date takes the first one.",
        ("date", "index"),
    ),
    Known(
        "the first characters of a part are characters",
        'string "${text}" "éa"',
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\néabc\n",
        True,
        "RFC 5703 §7: `:first` counts characters. Pigeonhole counts octets.",
        ("mime", "foreverypart", "extracttext", "variables"),
        'foreverypart { extracttext :first 2 "text"; }',
    ),
    Known(
        "a parameter that is not there has no value",
        'header :mime :param "charset" :contains "Content-Type" ""',
        "Content-Type: text/plain\n\n",
        False,
        "RFC 5703 §4.1: `:param` compares the values of parameters. Pigeonhole takes the empty string where there "
        "is none.",
        ("mime",),
    ),
    Known(
        "fields are deleted by regular expressions",
        'exists "X-A"',
        "X-A: one\n\n",
        False,
        "The regex draft and RFC 5293 §5 let `deleteheader` use any match type. Pigeonhole's deletes nothing by "
        "`:regex`, or fails.",
        ("editheader", "regex"),
        'deleteheader :regex "X-A" "o(n)e";',
    ),
    Known(
        "what is added at the end is at the end",
        'header :index 2 "X-A" "new"',
        "X-A: one\n\n",
        True,
        "RFC 5293 §4: `:last` puts a field behind all others. In Pigeonhole it comes before those of its name when "
        "a field of another name was added there first.",
        ("editheader", "index"),
        'addheader :last "X-B" "new"; addheader :last "X-A" "new";',
    ),
    Known(
        "the string test folds case",
        'string "ONE" "one"',
        "\n",
        True,
        "RFC 5228 §2.7.3: without a comparator all tests use `i;ascii-casemap`. Pigeonhole's `string` uses `i;octet`.",
        ("variables",),
    ),
    Known(
        "only tests set match variables",
        'string "${1}" "ne"',
        "X-A: one\n\n",
        False,
        "RFC 5229 §3.2: a match variable is what the last successful `:matches` test matched. In Pigeonhole "
        "`deleteheader` sets them too.",
        ("variables", "editheader"),
        'deleteheader :matches "X-A" "o*";',
    ),
    Known(
        "a script's own changes have no size",
        "size :over 30",
        "X-A: one\n\n",
        False,
        "`size` is that of the message as it came: what a script adds makes no message too large. In Pigeonhole it "
        "is that of the edited message.",
        ("editheader",),
        'addheader "X-B" "twenty letters or more";',
    ),
    Known(
        "a message whose fields were deleted has a body",
        'body :raw :contains "body"',
        "X-A: one\nX-B: two\n\nbody\n",
        True,
        "RFC 5173 §5.1: `:raw` is what stands behind the fields. In Pigeonhole it is empty after `deleteheader`.",
        ("editheader", "body"),
        'deleteheader "X-A";',
    ),
    Known(
        "what a script has required it has",
        'ihave "variables"',
        "\n",
        True,
        "RFC 5463 §4: `ihave` asks whether a capability is there. Pigeonhole says no to `variables` and "
        "`encoded-character`, which change what strings mean, also where they were required.",
        ("ihave", "variables"),
    ),
    Known(
        "octets that are no UTF-8 stay themselves",
        'header :contains "X-A" "\ufffd"',
        "X-A: gr\udcfcn\n\n",
        False,
        "What cannot be read is kept as it is, so that a field that is written anew holds what it held. Pigeonhole "
        "makes one U+FFFD of it, and of NUL.",
    ),
    Known(
        "an encoded word is what it says",
        'header "X-A" "ü"',
        "X-A: =?us-ascii?q?=C3=BC?=\n\n",
        False,
        "RFC 2047 §2: the character set is the one that is named. Dovecot reads US-ASCII as UTF-8.",
    ),
    Known(
        "an encoded word in an unknown set stays",
        'header "X-A" "one"',
        "X-A: =?x-none?q?one?=\n\n",
        False,
        "RFC 2047 §6.2: what cannot be decoded is shown as it is written. Dovecot takes it for UTF-8.",
    ),
    Known(
        "expressions see characters",
        'header :regex "X-A" "^.$"',
        "X-A: =?utf-8?q?=C3=BC?=\n\n",
        True,
        "As `?` does, a dot stands for a letter, and letters of all kinds are folded. Pigeonhole's expressions see "
        "octets.",
        ("regex",),
    ),
    Known(
        "broken addresses are read as far as they go",
        'address "from" "rr@acme.example"',
        "From: one two three@, rr@acme.example\n\n",
        True,
        "What a broken field holds is left open by RFC 5228; a policy that looks for an address should find it. "
        "Pigeonhole takes all of such a field for one.",
    ),
    Known(
        "an empty body is a body",
        'body :raw :is ""',
        "X-A: one\n\n",
        True,
        "RFC 5173 §4: behind an empty line is a body, even if it is empty. Pigeonhole's `:raw` finds none.",
        ("body",),
    ),
    Known(
        "letters in bold part no word",
        'body :text :contains "one"',
        "MIME-Version: 1.0\nContent-Type: text/html\n\no<b>n</b>e\n",
        True,
        "A page is compared as its reader sees it. Pigeonhole puts a blank in place of each tag.",
        ("body",),
    ),
    Known(
        "a digest holds messages",
        'header :mime :anychild "Subject" "one"',
        "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\ntwo\n--b--\n",
        True,
        "RFC 2046 §5.1.5: a part of a digest that does not say what it is is a message. Pigeonhole's tests do not look "
        "into it.",
        ("mime",),
    ),
    Known(
        "a field that is chosen counts, the last one too",
        'header :index 1 :count "eq" "X-A" "1"',
        "X-A: one\n\n",
        True,
        "RFC 5260 §6: `:index` leaves one field, which is counted. Pigeonhole counts none where it is the last.",
        ("index", "relational"),
    ),
    Known(
        "an added field begins with no blank",
        'header "X-B" "one"',
        "X-A: one\n\n",
        True,
        "RFC 5228 §2.4.2.2: white space around a value is no part of it, and no next script will see any. Pigeonhole's "
        "script still sees what it has added itself.",
        ("editheader",),
        'addheader "X-B" " one";',
    ),
)
