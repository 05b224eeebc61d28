"""The reference is what the spec table says, and its examples do what they are there for."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from mtad.sieve import reference
from mtad.sieve.code import Code, Plain
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.language import OUTSIDE, Language
from mtad.sieve.outside import Outside
from mtad.sieve.reference import ABOUT, pages, specs_of, tags_of, usage
from mtad.sieve.reference_table import About
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.programs import RememberedPrograms
from tests.fakes.sieve_facts import DOORS, StillFacts

CONTENT = (
    b"Received: from a by b\r\nReceived: from c by b\r\nFrom: a@example.net\r\nDate: Thu, 1 Jan 1998 00:00:00 +0000\r\n"
    b"Subject: frop 5 $$\r\nX-Score: 12\r\nX-Spam: yes\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\ninner lottery\r\n--b\r\n"
    b"Content-Disposition: attachment; filename=a.exe\r\n\r\nx\r\n--b--\r\n"
)  # fmt: skip
SENDERS_AND_RECIPIENTS = [
    ("", "rr@acme.example"),
    ("a@x.example", "a+list@acme.example"),
    ("a@x.example", "postmaster@d.example"),
]
ENVIRONMENT = {"remote-ip": "192.0.2.1", "vnd.mtad.helo": "mx.d.example"}
WAITING = (
    "extlists",
    "duplicate",
    "vnd.mtad.lookup",
    "vnd.mtad.dns",
    "vnd.mtad.limits",
    "vnd.mtad.mailauth",
    "vnd.mtad.service",
    "vnd.dovecot.execute",
    "vnd.dovecot.filter",
)
NEEDS_SCANNER = ("spamtest",)


def compiled(about: About) -> Script:
    outside = Outside(programs=RememberedPrograms())
    found = compile_script(about.example, f"{about.page}.sieve", PLAIN if about.is_plain else POLICY, outside)
    assert isinstance(found, Script), str(found)
    return found


def does(code: Code, sender: str, recipient: str) -> bool:
    """Tell whether a stage decides anything."""
    if not isinstance(code, Plain):
        return False
    facts = StillFacts(CONTENT, {"from": [sender], "to": [recipient], "auth": []}, ENVIRONMENT)
    run = Run(facts, Limits(), DOORS)
    code.call(run)
    return bool(run.actions or run.each or run.points or run.variables)


@pytest.mark.parametrize("about", ABOUT, ids=lambda about: about.page)
def test_each_example_is_a_script_that_does_something(about: About) -> None:
    script = compiled(about)
    if about.page in NEEDS_SCANNER:
        with pytest.raises(ScriptFailed, match="no scanner"):
            does(script.stages[OUTSIDE], "", "")
        return
    stages = [code for stage, code in script.stages.items() if stage != OUTSIDE or about.is_plain]
    done = [does(code, *addresses) for code in stages for addresses in SENDERS_AND_RECIPIENTS]
    assert any(done) or about.page in WAITING


@pytest.mark.parametrize("about", ABOUT, ids=lambda about: about.page)
def test_each_example_shows_what_the_page_is_about(about: About) -> None:
    required = [name for name in about.capabilities if name and not name.startswith("comparator-")]
    assert not required or any(f'"{name}"' in about.example for name in required)
    words = {spec.name for spec in specs_of(about)} | set(tags_of(about))
    assert not words or any(word in about.example for word in words)


@pytest.mark.parametrize("language", [PLAIN, POLICY], ids=["plain", "policy"])
def test_each_capability_has_one_page(language: Language) -> None:
    told = Counter(name for about in ABOUT for name in about.capabilities)
    assert language.capabilities <= told.keys()
    assert max(told.values()) == 1
    assert len({about.page for about in ABOUT}) == len(ABOUT)


def test_each_command_and_test_has_its_usage() -> None:
    text = "\n".join(pages().values())
    for spec in (*PLAIN.specs, *POLICY.specs):
        assert f"\n{usage(spec)}\n" in text


def test_usages_are_written_as_the_rfcs_write_them() -> None:
    written = {usage(spec) for spec in POLICY.specs}
    assert "set [:lower / :upper] [:lowerfirst / :upperfirst] [:quotewildcard / :quoteregex] [:length]" in "".join(
        written
    )
    assert "exists [:mime] [:anychild] <header-names: string-list>" in written
    assert "if <test> <block>" in written
    assert any(text.endswith("<map: constant string> <key: string> [<values: string-list>]") for text in written)


def test_the_pages_are_fresh() -> None:
    texts = pages()
    assert {path.name for path in reference.FOLDER.iterdir()} == texts.keys()
    stale = [name for name, text in texts.items() if (reference.FOLDER / name).read_text() != text]
    assert stale == [], "run python -m mtad.sieve.reference"


def test_pages_that_are_stale_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    with pytest.raises(SystemExit, match=r"stale: .*base\.md"):
        reference.main()
    monkeypatch.setattr(sys, "argv", ["reference"])
    reference.main()
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    reference.main()
