"""Our reading of Sieve against Pigeonhole's: scripts without our own capabilities mean the same to both."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mtad.sieve.dialects import PLAIN
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, is_true
from tests.peers.process import open_folder, program

pytestmark = pytest.mark.peer

SENDER, RECIPIENT = "Coyote@Desert.Example", "rr+list@acme.example"
REQUIRED = '"envelope", "relational", "subaddress", "comparator-i;ascii-numeric"'
MESSAGES = [
    b"From: Coyote <Coyote@Desert.Example>\r\nTo: Road <rr@acme.example>, \"B, C\" <bc@sub.acme.example>\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?w7w=?= there\r\nX-A: one\r\nX-A: two\r\n"
    b"X-A: 07 up\r\n\r\nbody\r\n",
    b"From: a@x.example (Mr. A)\r\nTo: Friends: rr@acme.example, b@y.example;\r\nSubject:  folded\r\n  subject \r\n"
    b"X-A: 0x1\r\nX-B:\r\n\r\nbody\r\n",
    b"From: <@r.example:a@x.example>\r\nTo: \"q q\"@acme.example\r\nSubject: a*b?c\\d\r\n\r\n" + b"x" * 2000,
    b"Subject: Grusse ere\r\nCc: \"rr\"@acme.example, a+b+c@y.example, d+@z.example\r\nX-A: ONE\r\n\r\n",
]  # fmt: skip
KEYS = [
    "", "one", "TWO", "Grüßeü there", "there", "folded  subject", "rr", "RR@Acme.Example", "acme.example", "q q",
    "a@x.example", "x.example", "bc", "a*b?c\\d", "Coyote@Desert.Example", "desert.example", "coyote", "one\r\n",
    "list", "b+c", "0", "1", "2", "3", "7", "12", "07", "rr+list",
]  # fmt: skip
PATTERNS = [  # not "??*": Pigeonhole finds it in a value of one letter
    "*", "?", "?*?", "*e", "*.example", "rr@*", "a\\*b\\?*", "*o*e*", "?n?", "*@*.*", "**", "*re*re*", "gr*ü*", "\\a*",
]  # fmt: skip
SEED = 20240229
COUNT = 300
SCRIPT_TESTS = 25


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def strings(dice: random.Random, words: Sequence[str]) -> str:
    chosen = [quoted(dice.choice(words)) for _ in range(dice.randint(1, 3))]
    return chosen[0] if len(chosen) == 1 else f"[{', '.join(chosen)}]"


def draw(dice: random.Random, depth: int = 0) -> str:
    kind = dice.choice(["header", "header", "address", "envelope", "exists", "size", "not", "anyof", "allof"])
    if kind in ("not", "anyof", "allof") and depth < 3:
        inner = [draw(dice, depth + 1) for _ in range(dice.randint(1, 3))]
        return f"not {inner[0]}" if kind == "not" else f"{kind} ({', '.join(inner)})"
    if kind == "exists":
        return f"exists {strings(dice, ['Subject', 'x-a', 'CC', 'to', 'from', 'none'])}"
    if kind == "size":
        return f"size {dice.choice([':over', ':under'])} {dice.choice(['0', '60', '1K', '2K', '1M'])}"
    match = dice.choice(["", ":is", ":contains", ":matches", ":value", ":count"])
    keys = strings(dice, PATTERNS if match == ":matches" else KEYS)
    comparator = dice.choice(["", "", ':comparator "i;octet"', ':comparator "i;ascii-casemap"'])
    if match in ("", ":is", ":value", ":count") and dice.random() < 0.5:
        comparator = ':comparator "i;ascii-numeric"'
    if match in (":value", ":count"):
        match += f' "{dice.choice(["gt", "ge", "lt", "le", "eq", "ne"])}"'
    if kind in ("not", "anyof", "allof", "header"):
        # to the numeric comparator RFC 4790 §9.1 makes "" infinite, as any other text; to Pigeonhole it is like nothing
        names = ["Subject", "X-A", "to", "none"] + ([] if "numeric" in comparator else ["X-B"])
        return f"header {comparator} {match} {strings(dice, names)} {keys}"
    part = dice.choice(["", ":all", ":localpart", ":domain", ":user", ":detail"])
    names = strings(dice, ["to", "From"] + (["CC"] if kind == "address" else []))
    return f"{kind} {match} {part} {comparator} {names} {keys}"


def pigeonhole(folder: Path, tests: Sequence[str], content: bytes) -> set[int]:
    """Return which of the tests are true to Pigeonhole."""
    script, message = folder / "tests.sieve", folder / "message.eml"
    arms = (f'if {test} {{ fileinto "T{number}"; }}' for number, test in enumerate(tests))
    script.write_text(f'require ["fileinto", {REQUIRED}];\n' + "\n".join(arms), newline="")
    message.write_bytes(content)
    command = [program("sieve-test"), "-C", "-f", SENDER, "-a", RECIPIENT, "-r", RECIPIENT]
    for option in ("mail_uid=65534", "mail_gid=65534", "mail_home=/tmp", f"mail_location=maildir:{folder}/mail"):
        command += ["-o", option]
    done = subprocess.run(
        [*command, str(script), str(message)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return {int(number) for number in re.findall(r"folder: T(\d+)", done.stdout)}


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder("sieve") as found:
        yield found


def test_random_tests_have_the_same_truth(folder: Path) -> None:
    dice = random.Random(SEED)
    tests = [draw(dice) for _ in range(COUNT)]
    trues = 0
    for start in range(0, COUNT, SCRIPT_TESTS):
        some = tests[start : start + SCRIPT_TESTS]
        for content in MESSAGES:
            theirs = pigeonhole(folder, some, content)
            facts = StillFacts(content, envelope={"from": [SENDER], "to": [RECIPIENT]})
            ours = {number for number, test in enumerate(some) if is_true(test, facts, REQUIRED)}
            different = [(some[number], number in ours) for number in sorted(ours ^ theirs)]
            assert not different, (different, content)
            trues += len(ours)
    assert COUNT // 4 < trues < COUNT * len(MESSAGES) * 3 // 4  # both answers occur


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
