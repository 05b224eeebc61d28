"""What is a script, to us and to Pigeonhole's compiler. That scripts mean the same: tests/differential."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mtad.lab.layout import DEFAULT_POLICY
from mtad.sieve.dialects import PLAIN
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import Script, compile_script
from tests.peers.process import program

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[2]
ROOMS = ("mtad", "tests", "docs")  # where scripts may lie
SUFFIXES = (".sieve", ".svtest")
_BLOCK = re.compile(r"^```(?:sieve|svtest)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

RIGHT = [
    'require ["envelope", "reject", "environment"];\nif envelope :localpart "to" "a" { reject "no"; stop; }',
    'if header :comparator "i;octet" :matches ["a", "b"] "*" { discard; } elsif not exists "x" { } else { keep; }',
    'if header "from:" "a" { keep; }',
    'require "reject";\nif size :over 1K { reject text: # why\nno\n..dot\n.\n; }',
    "if anyof (true, allof (false, not true)) { /* nothing */ }",
    'require "environment"; if environment :is "location" "MTA" { keep; }',
    'require "comparator-i;ascii-casemap"; if address :domain "from" "x" { keep; }',
]
WRONG = [
    'require "nope";',
    "keep",
    "if true { keep;",
    "keep; }",
    'keep; require "envelope";',
    'if envelope "to" "a" { keep; }',
    "else { keep; }",
    "if true { } else { } else { }",
    'if header "a" { keep; }',
    'if header :is :contains "a" "b" { keep; }',
    'if header "a" "b" "c" { keep; }',
    'if header :comparator "i;nope" "a" "b" { keep; }',
    "if anyof true { keep; }",
    "if not (true) { keep; }",
    "if size 5 { keep; }",
    "keep { }",
    "if true;",
    "discard 5;",
    'if header [] "a" { keep; }',
    'if true { require "envelope"; }',
    'keep "open;',
    "/* open",
    'if address "subject" "a" { keep; }',
]


@pytest.mark.parametrize(("text", "is_right"), [(text, True) for text in RIGHT] + [(text, False) for text in WRONG])
def test_both_compilers_agree_on_what_is_a_script(text: str, is_right: bool, tmp_path: Path) -> None:
    script = tmp_path / "a.sieve"
    script.write_text(text, newline="")
    done = subprocess.run([program("sievec"), str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) is is_right, done.stderr
    assert isinstance(compile_script(text, "a", PLAIN), Script if is_right else SieveErrors)


def grammar_error(text: str, folder: Path) -> str:
    """Return what Pigeonhole says of a script whose grammar it does not understand; '' of any other."""
    script = folder / "a.sieve"
    script.write_text(text, newline="")
    done = subprocess.run([program("sievec"), str(script)], capture_output=True, text=True, timeout=60, check=False)
    return done.stderr if "parse failed" in done.stderr else ""


def test_what_is_no_grammar_is_told(tmp_path: Path) -> None:
    assert grammar_error('require "vnd.mtad.stage"; stage "rcpt" { accept; }', tmp_path) == ""
    assert grammar_error('require "vnd.mtad.stage"; stage "rcpt" { accept }', tmp_path)


def shipped() -> dict[str, str]:
    """Return every script of ours that is meant to be right, by where it stands; those of the pages too."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.s*") if path.suffix in SUFFIXES]
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    texts = {str(path): path.read_text() for path in files if "wrong" not in path.name and "wrong" not in path.parts}
    blocks = {
        f"{page} {number}": block for page in pages for number, block in enumerate(_BLOCK.findall(page.read_text()))
    }
    return texts | blocks | {"of the laboratory": DEFAULT_POLICY.replace("LMTP_PORT", "24").replace("SMTP_PORT", "25")}


def test_every_sieve_editor_can_read_what_we_ship_and_show(tmp_path: Path) -> None:
    found = shipped()
    for part in ("admission/default.sieve", "tests/sieve/", "tests/dialog/", "docs/reference/", "docs/how-to/"):
        assert any(part in name for name in found), part
    assert len(found) > 100
    assert {name: error for name, text in found.items() if (error := grammar_error(text, tmp_path))} == {}
