"""What scripts and messages can do at worst: each run ends by itself or by its budget, soon.

How soon on a machine that has nothing else to do, `make bench` measures; here is seen that none hangs.
"""

from __future__ import annotations

import time

import pytest

from mtad.sieve.code import Plain
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.errors import ERRORS_MAX, SieveErrors
from mtad.sieve.language import OUTSIDE
from mtad.sieve.outside import Outside
from mtad.sieve.run import LimitExceeded, Limits, Run
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import DOORS, StillFacts

SECONDS_MAX = 3.0  # of processor time; quiet it is 0.05
REQUIRE = (
    'require ["variables", "fileinto", "mime", "foreverypart", "extracttext", "body", "regex", "editheader", "date",'
    ' "relational", "comparator-i;unicode-casemap"];\n'
)
ENDS, BUDGET = "ends by itself", "ends by its budget"

MANY = b"X: aaaaaaaaaaaa\r\n" * 10_000 + b"\r\n"
LONG = b"X: " + b"a" * 100_000 + b"\r\n\r\n"
EMPTY = b"\r\n"
MULTIPART = b"Content-Type: multipart/mixed; boundary=b\n\n"
PARTS = MULTIPART + b"--b\n\nx\n" * 990 + b"--b--\n"
LIST_OF_1000 = "[" + ",".join(f'"k{number}"' for number in range(1000)) + "]"
READ_1000 = ",".join(['"${a}y"'] * 1000)
SCRIPTS = {
    "five stars": ('if header :matches "x" "*a*a*a*a*ab" { keep; }', LONG, ENDS),
    "stars and question marks": ('if header :matches "x" "*?a?a?b*" { keep; }', LONG, ENDS),
    "a thousand stars": (f'if header :matches "x" "{"*" * 1000}b" {{ keep; }}', MANY, BUDGET),
    "nested repetition": ('if header :regex "x" "(a+)+(b+)+c" { keep; }', LONG, ENDS),
    "counted repetition": ('if header :regex "x" "([ab]*a[ab]{12}){9}c" { fileinto "${1}"; }', LONG, ENDS),
    "counted repetition of many": ('if header :regex "x" "(a?){100}b" { fileinto "${1}"; }', MANY, BUDGET),
    "doubling": ('set "a" "aa";' + 'set "a" "${a}${a}";' * 50 + 'fileinto "${a}";', EMPTY, ENDS),
    "large values": ('set "a" "' + "x" * 9000 + '";' + 'set "b" "${a}${a}${a}";' * 300, EMPTY, ENDS),
    "a string of variables": ('set "a" "' + "${n}" * 8_000 + '";' + 'set "b" "${a}${a}";' * 200, EMPTY, ENDS),
    "a loop in a loop": ("foreverypart { foreverypart { foreverypart { keep; } } }", PARTS, ENDS),
    "all parts for each part": (
        'foreverypart { if header :mime :anychild :contains "x" "y" { } foreverypart { } }', PARTS, ENDS,
    ),
    "many actions": ("keep;" * 1000, EMPTY, BUDGET),
    "many edits": ('addheader "x" "y";' * 60, MANY, BUDGET),
    "many keys": (f'if header :contains "x" {LIST_OF_1000} {{ keep; }}', MANY, BUDGET),
    "many keys in order": (f'if header :value "gt" "x" {LIST_OF_1000} {{ keep; }}', MANY, BUDGET),
    "stars in a variable": (
        f'set "a" "{"*" * 4096}"; foreverypart {{ if string :matches "x" "${{a}}" {{ keep; }} }}', PARTS, BUDGET,
    ),
    "stars against long values": (
        f'set "a" "{"*a" * 2000}b"; foreverypart {{ if header :matches "x" "${{a}}" {{ }} }}',
        LONG[:-2] + PARTS, BUDGET,
    ),
    "expressions in variables": (
        'set "a" "(a?){200}b"; foreverypart {'
        + "".join(f'if header :regex "x" "${{a}}{number}" {{ }}' for number in range(200)) + "}", PARTS, BUDGET,
    ),
    "many names of fields": (f'foreverypart {{ if header :count "gt" {LIST_OF_1000} "1" {{ }} }}', PARTS, BUDGET),
    "many keys that are read": (
        f'set "a" "{"x" * 4096}"; foreverypart {{ if string "${{a}}" [{READ_1000}] {{ keep; }} }}', PARTS, BUDGET,
    ),
    "changed values": (
        f'set "a" "{"*" * 4096}"; foreverypart {{' + 'set :upper :quotewildcard "b" "${a}";' * 100 + "}", PARTS, BUDGET,
    ),
    "all contents for each part": ('foreverypart { if body :content "text" :contains "q" { keep; } }', PARTS, BUDGET),
    "many wildcards": (f'if header :matches "x" {LIST_OF_1000} {{ keep; }}', MANY, BUDGET),
}  # fmt: skip
READ_ALL = """
if header :contains ["x", "subject", "content-type"] "q" { keep; }
if address :contains ["from", "to", "cc"] "q" { keep; }
if date :contains "date" "year" "q" { keep; }
if body :contains "q" { keep; }
if header :mime :anychild :param "a" :contains "content-type" "q" { keep; }
foreverypart { extracttext :first 100 "t"; }
"""
MESSAGES = {
    "ten thousand fields": b"".join(b"X-%d: a\r\n" % number for number in range(10_000)) + b"\r\n",
    "ten thousand fields of a name": MANY,
    "a field of many lines": b"X: a\r\n" + b" b\r\n" * 100_000 + b"\r\n",
    "octets that are no text": b"X: " + b"\xff" * 100_000 + b"\r\n\r\n",
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 5000 + b"\r\n\r\n",
    "encoded words that are none": b"Subject: " + b"=?utf-8?q?" * 20_000 + b"\r\n\r\n",
    "addresses": b"To: " + b"a@b," * 20_000 + b"\r\n\r\n",
    "comments in comments": b"From: " + b"(" * 100_000 + b"\r\nDate: " + b"(" * 50_000 + b"\r\n\r\n",
    "fields of comments": (b"From: " + b"()" * 16_000 + b"\r\nDate: " + b"(" * 16_000 + b"\r\n") * 8 + b"\r\n",
    "parts of comments": MULTIPART + (b"--b\nContent-Type: " + b"a()" * 10_000 + b"\n\n") * 9 + b"--b--\n",
    "octets that are no UTF-32": b"Content-Type: text/plain; charset=utf-32\r\n\r\n" + b"\xff" * 4_000_000,
    "halves of characters": b"Content-Type: text/plain; charset=utf-16be\r\n\r\n" + b"\xd8\x00" * 2_000_000,
    "octets that are no UTF-8": b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + b"\xff" * 4_000_000,
    "octets of no character set": b"Content-Type: text/plain; charset=no-such\r\n\r\n" + b"\xff" * 4_000_000,
    "parts that are no characters": MULTIPART
    + (b"--b\nContent-Type: text/plain; charset=tis-620\n\n" + b"\xff" * 999 + b"\n") * 990
    + b"--b--\n",
    "encoded words of sets that are none": (
        b"Subject: " + b" ".join(b"=?cp%d?q?a?=" % number for number in range(10_000, 14_000)) + b"\r\n\r\n"
    ),
    "quotes": b"From: " + b'"' * 100_000 + b"\r\nCc: " + b"<" * 100_000 + b"\r\n\r\n",
    "messages in messages": b"Content-Type: message/rfc822\n\n" * 5000,
    "parts": PARTS,
    "boundaries": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\n" * 200_000,
    "boundaries that are none": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx" * 200_000,
    "parameters": b"Content-Type: multipart/mixed; " + b"a*0*=x;" * 20_000 + b"\r\n\r\n",
    "quoted parameters": b'Content-Type: a/b; a="' + b'\\"' * 100_000 + b"\r\n\r\n",
    "a long body": EMPTY + b"a" * 4_000_000,
    "octets that are no characters": b"Content-Type: text/plain; charset=cp1252\r\n\r\n" + b"\x81" * 4_000_000,
    "a page of references": b"Content-Type: text/html\r\n\r\n" + b"&x" * 400_000,
    "a page": b"Content-Type: text/html\r\n\r\n" + b"<a<b>&amp;" * 400_000,
    "a page of scripts": b"Content-Type: text/html\r\n\r\n" + b"<script>" * 400_000,
    "base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"YWFh" * 1_000_000,
    "fields that say nothing": b"X:\n" * 350_000 + b"\r\n",
    "lines that are no fields": b"x\n" * 500_000,
    "fields of quotes": (b"To: " + b'"' * 32_000 + b"\r\n") * 30 + b"\r\n",
    "fields of addresses": b"To: a@b\r\n" * 100_000 + b"\r\n",
    "fields of encoded words": (b"Subject: " + b"=?utf-8?q?a?= " * 600 + b"\r\n") * 100 + b"\r\n",
    "boundaries that are none, and many": MULTIPART + b"\n--bx" * 2_000_000,
    "fields of parts": MULTIPART + (b"--b\n" + b"X:\n" * 300_000 + b"\n") * 10 + b"--b--\n",
    "pages": MULTIPART + (b"--b\nContent-Type: text/html\n\n" + b"<a<b>&amp;" * 100_000 + b"\n") * 10 + b"--b--\n",
    "encoded parts": MULTIPART
    + (b"--b\nContent-Transfer-Encoding: quoted-printable\n\n" + b"=41=\r\n" * 200_000 + b"\n") * 10
    + b"--b--\n",
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=41=\r\n" * 600_000,
}


def played(text: str, content: bytes) -> tuple[str, float]:
    """Return how the run ended, and the processor time that it took."""
    script = compile_script(REQUIRE + text, "hostile.sieve", PLAIN)
    assert isinstance(script, Script), str(script)
    code = script.stages[OUTSIDE]
    assert isinstance(code, Plain)
    run = Run(StillFacts(content), Limits(), DOORS)
    started = time.process_time()
    try:
        code.call(run)
    except LimitExceeded:
        return BUDGET, time.process_time() - started
    return ENDS, time.process_time() - started


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(name: str) -> None:
    text, content, expected = SCRIPTS[name]
    how, seconds = played(text, content)
    assert (how, seconds < SECONDS_MAX) == (expected, True), seconds


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(name: str) -> None:
    how, seconds = played(READ_ALL, MESSAGES[name])
    assert (how, seconds < SECONDS_MAX) == (ENDS, True), seconds


TOO_LARGE = "too large: compiling a script and all that it includes may cost"
TOO_MANY_STEPS = "no regular expression: larger than 1000 steps"
MANY_EXPRESSIONS = "".join(f'if header :regex "x" "(a?){{200}}{number}" {{ }}' for number in range(900))
NOT_COMPILED = {
    "blocks in blocks": ("if true {" * 5000, "nested deeper than 32"),
    "tests in tests": ("if " + "not " * 5000 + "true { }", "nested deeper than 32"),
    "a large expression": ('if header :regex "x" "((a?){200}){5}c" { }', TOO_MANY_STEPS),
    "classes of letters": (
        "".join(rf'if header :regex "x" "(\\pL){{99}}{number}" {{ }}' for number in range(100)), TOO_MANY_STEPS,
    ),
    "unknown words": ("snow;" * 5000, "unknown command snow"),
    "what is no text": ("%;" * 100_000, "text not understood: '%'"),
    "an octet too many": ("#" * (1 << 18), "script longer than 262144 characters"),
    "words": ("a " * 100_000, TOO_LARGE),
    "brackets": ("{" * 200_000, TOO_LARGE),
    "strings": ('if header "x" ["a"' + ',"a"' * 60_000 + "] { }", TOO_LARGE),
    "commands": ("keep;" * 40_000, TOO_LARGE),
    "tests": ("if anyof (true" + ",true" * 40_000 + ") { }", TOO_LARGE),
    "assignments": ('set "a" "${a}";' * 10_000, TOO_LARGE),
    "variables in a string": ('set "a" "' + "${n}" * 50_000 + '";', TOO_LARGE),
    "encoded characters": ('require "encoded-character"; set "a" "' + "${hex:41}" * 25_000 + '";', TOO_LARGE),
    "stars": (f'if header :matches "x" "{"*" * 200_000}" {{ }}', TOO_LARGE),
    "many expressions": (MANY_EXPRESSIONS, TOO_LARGE),
    "folded letters": (
        f'if header :comparator "i;unicode-casemap" "x" "{"é" * 100_000}" {{ }}', TOO_LARGE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_COMPILED)
def test_scripts_that_are_not_compiled(name: str) -> None:
    text, error = NOT_COMPILED[name]
    started = time.process_time()
    found = compile_script(REQUIRE + text, "hostile.sieve", PLAIN)
    assert time.process_time() - started < SECONDS_MAX
    assert isinstance(found, SieveErrors)
    assert error in str(found)


def test_what_a_script_includes_is_part_of_it() -> None:
    asked = []

    def large(location: str, name: str) -> str:
        asked.append(name)
        return "keep;" * 1000

    text = 'require "include";' + "".join(f'include "{number}";' for number in range(90))
    found = compile_script(text, "hostile.sieve", PLAIN, Outside(scripts=large))
    assert isinstance(found, SieveErrors)
    assert [(error.file, error.text[:9]) for error in found.errors] == [("1.sieve", "too large")]
    assert asked == ["0", "1"]


REQUIRE_LISTS = 'require ["vnd.mtad.stage", "vnd.mtad.lookup"];\n'
TOO_LONG_LISTS = {
    "networks": 'stage "connect" { if ip ["::1"' + ',"::1"' * 9000 + "] { } }",
    "a map": 'map "m" [' + ",".join(f'"k{number} v"' for number in range(9000)) + "];",
    "a map of networks": 'map :cidr "m" [' + ",".join(f'"2001:db8:{number:x}::/48"' for number in range(5000)) + "];",
    "a map of expressions": 'map :regexp "m" [' + ",".join(f'"/^foo{number}/ v"' for number in range(1990)) + "];",
    "a map of large expressions": (
        'map :regexp "m" [' + ",".join(f'"/(a?){{200}}{number}/ v"' for number in range(900)) + "];"
    ),
    "a map of values with groups": (
        'map :regexp "m" [' + ",".join(f'"/(a){number}/ {"$1" * 200}"' for number in range(400)) + "];"
    ),
}


@pytest.mark.parametrize("name", TOO_LONG_LISTS)
def test_lists_count_by_their_lines(name: str) -> None:
    started = time.process_time()
    found = compile_script(REQUIRE_LISTS + TOO_LONG_LISTS[name], "hostile.sieve", POLICY)
    assert time.process_time() - started < SECONDS_MAX
    assert isinstance(found, SieveErrors)
    assert [(error.line, error.text[: len(TOO_LARGE)]) for error in found.errors] == [(2, TOO_LARGE)]


def test_the_first_lines_that_are_no_expressions_are_told_of() -> None:
    lines = ",".join(rf'"/(\\pL){{99}}{number}/ v"' for number in range(900))
    found = compile_script(f'{REQUIRE_LISTS}map :regexp "m" [{lines}];', "hostile.sieve", POLICY)
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == [TOO_MANY_STEPS] * ERRORS_MAX


def test_what_a_map_may_have() -> None:
    lines = ",".join(f'"/^foo{number}/ v"' for number in range(200))
    assert isinstance(compile_script(f'{REQUIRE_LISTS}map :regexp "m" [{lines}];', "t", POLICY), Script)
