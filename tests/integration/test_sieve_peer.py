"""What is a script, to us and to Pigeonhole's compiler. That scripts mean the same: tests/differential."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mtad.sieve.dialects import PLAIN
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import Script, compile_script
from tests.peers.process import program

pytestmark = pytest.mark.peer

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
]


@pytest.mark.parametrize(("text", "is_right"), [(text, True) for text in RIGHT] + [(text, False) for text in WRONG])
def test_both_compilers_agree_on_what_is_a_script(text: str, is_right: bool, tmp_path: Path) -> None:
    script = tmp_path / "a.sieve"
    script.write_text(text, newline="")
    done = subprocess.run([program("sievec"), str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) is is_right, done.stderr
    assert isinstance(compile_script(text, "a", PLAIN), Script if is_right else SieveErrors)
