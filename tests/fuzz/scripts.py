"""Sieve fed with octets: as a script that is compiled and run, and as the message that scripts read."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from mtad.sieve.code import Plain
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.edits import AddField, DeleteFields, edited
from mtad.sieve.errors import ERRORS_MAX, SieveErrors
from mtad.sieve.language import OUTSIDE, Kind, Language, Spec
from mtad.sieve.results import results
from mtad.sieve.run import LimitExceeded, Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import DOORS, StillFacts

ROOT = Path(__file__).parents[2]
_LIMITS = Limits(nodes_max=2000, actions_max=8, value_length_max=200)
_BLOCK = re.compile(r"^```sieve\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MESSAGE = (
    b"From: a+b@x.example\r\nTo: c@y.example, \"d e\"@z.example\r\nSubject: =?utf-8?q?a=C3=A9?= b\r\n"
    b"Date: Sat, 29 Feb 2020 23:05:09 -0500\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''a.exe\r\n\r\n<p>two</p>\r\n--b--\r\n"
)  # fmt: skip
_ENVELOPE = {"from": ["a+b@x.example"], "to": ["c@y.example"], "auth": []}
_READER = """
require ["body", "date", "editheader", "envelope", "extracttext", "fileinto", "foreverypart", "index", "mime", "regex",
         "relational", "subaddress", "variables"];
if header :matches ["subject", "from", "x", "content-type"] "*a*?*" { fileinto "1${1}${2}"; }
if header :regex ["subject", "to"] "(a|b)+(.)" { fileinto "2${1}${2}"; }
if address :matches :user ["from", "to", "cc"] "*" { fileinto "3${1}"; }
if address :index 1 :last :detail ["to"] ["", "a"] { fileinto "4"; }
if date :matches "date" "iso8601" "*" { fileinto "5${1}"; }
if body :contains ["a", "the"] { fileinto "6"; }
if body :content ["", "text", "message", "multipart"] :contains "a" { fileinto "7"; }
if header :mime :anychild :param ["filename", "name", "boundary"] :matches ["content-type", "content-disposition"] "*" {
    fileinto "8${1}";
}
foreverypart {
    if header :mime :contenttype :matches "content-type" "*/*" { fileinto "9${1}"; }
    extracttext :first 20 "t";
}
addheader "X-New" "${t}";
deleteheader :index 1 "received";
deleteheader :contains "x" "a";
if header :count "gt" ["x", "x-new"] "1" { fileinto "10"; }
"""


def script(octets: bytes) -> tuple[str, ...]:
    """Compile octets as a script, the first of them choosing its kind, and run what of it can be run."""
    is_policy, said = bool(octets[:1] < b"\x80"), octets[1:]
    text = said.decode("utf-8", "surrogateescape")
    found = compile_script(text, "fuzz.sieve", POLICY if is_policy else PLAIN)
    if isinstance(found, SieveErrors):
        return _checked(text, found)
    seen: list[str] = []
    for stage, code in found.stages.items():
        if not isinstance(code, Plain):
            continue
        seen += (stage, *_run(found, stage, StillFacts(_MESSAGE, _ENVELOPE)))
    return tuple(seen)


def _checked(text: str, found: SieveErrors) -> tuple[str, ...]:
    """Check that each error stands somewhere in the script."""
    lines = text.split("\n")
    assert 1 <= len(found.errors) <= ERRORS_MAX
    for error in found.errors:
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert error.text
    return tuple(sorted({re.sub(r'"[^"]*"|[0-9]+', "", error.text)[:40] for error in found.errors}))


def _run(compiled: Script, stage: str, facts: StillFacts) -> tuple[str, ...]:
    code = compiled.stages[stage]
    assert isinstance(code, Plain)
    run = Run(facts, _LIMITS, DOORS)
    try:
        code.call(run)
    except ScriptFailed as error:
        return (re.sub(r'"[^"]*"', "", str(error))[:40],)
    if stage == OUTSIDE:
        results(run.actions)
    assert len(run.actions) <= _LIMITS.actions_max
    assert all(len(value) <= _LIMITS.value_length_max for value in run.variables.values())
    edits = [one for one in run.actions if isinstance(one, AddField | DeleteFields)]
    edited(_MESSAGE, edits)
    return tuple(type(action).__name__ for action in run.actions)


@cache
def _reader() -> Plain:
    compiled = compile_script(_READER, "reader.sieve", PLAIN)
    assert isinstance(compiled, Script), str(compiled)
    code = compiled.stages[OUTSIDE]
    assert isinstance(code, Plain)
    return code


def message(octets: bytes) -> tuple[str, ...]:
    """Read octets as a message in every way that a script has, and change its fields."""
    run = Run(StillFacts(octets, _ENVELOPE), Limits(), DOORS)
    try:
        _reader().call(run)
    except LimitExceeded as error:
        return (str(error),)
    edits = [one for one in run.actions if isinstance(one, AddField | DeleteFields)]
    changed = edited(octets, edits)
    assert run.edited is not None
    again = StillFacts(changed).message()
    for name in ("received", "x", "subject"):
        assert len(again.values(name)) == len(run.edited.values(name)), name
    assert again.values("x-new")[0] == run.edited.values("x-new")[0]
    return tuple(str(getattr(action, "mailbox", type(action).__name__))[:6] for action in run.actions)


def of_scripts() -> list[bytes]:
    """Return scripts: those of the documentation, and a line for each command and test."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    texts = [block for page in pages for block in _BLOCK.findall(page.read_text())]
    found = [b"\0" + text.encode() for text in (*texts, _line_of_all(POLICY, 'stage "data" {', "}"))]
    return [*found, b"\xff" + _READER.encode(), b"\xff" + _line_of_all(PLAIN, "", "").encode()]


def of_messages() -> list[bytes]:
    """Return messages."""
    return [
        _MESSAGE,
        _MESSAGE.replace(b"\r\n", b"\n"),
        b"Content-Type: message/rfc822\r\n\r\n" + _MESSAGE,
        b"\r\n",
        b"a",
    ]


def _line_of_all(language: Language, before: str, after: str) -> str:
    names = ", ".join(f'"{name}"' for name in sorted(language.capabilities))
    return f"require [{names}];\n{before}\n" + "\n".join(_line(spec) for spec in language.specs) + f"\n{after}\n"


def _line(spec: Spec) -> str:
    tags = " ".join(tag.name + (' "a"' if tag.value is not None else "") for tag in spec.tags)
    words = " ".join((spec.name, tags, *('"a"' for _ in spec.positional)))
    is_test = spec.kind in (Kind.TEST, Kind.OFFER)
    return f"if {words} {{ }}" if is_test else f"{words} {{ }}" if spec.has_block else f"{words};"
