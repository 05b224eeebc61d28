"""Any text at all is a script or a list of errors, and a script means what its words say."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from mtad.sieve.code import Plain
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.errors import ERRORS_MAX, SieveErrors
from mtad.sieve.language import OUTSIDE
from mtad.sieve.run import Limits, Run
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts

WORDS = [
    *{spec.name for spec in POLICY.specs},
    *{tag.name for spec in POLICY.specs for tag in spec.tags},
    *(f'"{name}"' for name in (*POLICY.capabilities, *POLICY.stages, "from", "to", "smtp", "lmtp", "unix:/a", "::/0")),
    *'";,(){}[]\\',
    '"a"',
    "text:\na\n.\n",
    "text:",
    "1K",
    "550",
    "9" * 30,
    "# c\n",
    "/* c */",
    "/*",
    "\r\n",
    "\0",
    "\ud800",
]
SOUPS = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
RIGHT = st.sampled_from(
    [
        'require ["vnd.mtad.stage", "vnd.mtad.verdict", "envelope"];\n'
        'stage "rcpt" { if envelope :domain "to" "a" { accept; } ereject :code 551 "no"; }',
        'require ["vnd.mtad.stage", "vnd.mtad.route"]; stage "deliver" { route :port 25 "smtp"; }',
        'if not anyof (header :matches "a" ["b", "*"], size :over 1K) { keep; } elsif true { } else { stop; }',
        'require "reject"; # why\nreject text:\na\n.\n; /* c */ keep;',
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Draw a right script with a piece cut out and another put in."""
    text = draw(RIGHT)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 10)))
    return text[:start] + draw(st.sampled_from(["", *WORDS])) + text[end:]


TEXTS = st.one_of(RIGHT, damaged(), SOUPS, st.text(max_size=200))


def test_no_text_makes_the_compiler_fault() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=600, deadline=None)
    @given(TEXTS, st.booleans())
    def check(text: str, is_policy: bool) -> None:
        found = compile_script(text, "t", POLICY if is_policy else PLAIN)
        lines = text.split("\n")
        if isinstance(found, Script):
            seen["script with commands"] += bool(text.strip())
            return
        assert isinstance(found, SieveErrors)
        assert 1 <= len(found.errors) <= ERRORS_MAX
        for error in found.errors:
            assert 1 <= error.line <= len(lines)
            assert 1 <= error.column <= len(lines[error.line - 1]) + 1
            seen[error.text.split()[0]] += 1
        seen["several errors"] += len(found.errors) > 1

    check()
    assert seen["script with commands"] > 2, seen
    assert seen["several errors"] > 50, seen
    assert len(seen) > 20, seen


TESTS = st.recursive(
    st.sampled_from(["true", "false"]),
    lambda inner: st.one_of(
        inner.map("not {}".format),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"anyof ({', '.join(parts)})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"allof ({', '.join(parts)})"),
    ),
    max_leaves=8,
)


def python_of(test: str) -> str:
    """Write a test as an expression of Python."""
    return (
        test.replace("anyof (", "any((")
        .replace("allof (", "all((")
        .replace(")", ",))")
        .replace("not ", "0 == ")
        .replace("true", "1")
        .replace("false", "0")
    )


def test_boolean_tests_mean_what_they_say() -> None:
    seen: Counter[bool] = Counter()

    @settings(max_examples=200, deadline=None)
    @given(TESTS)
    def check(test: str) -> None:
        if "not not" in test:  # 0 == 0 == 1 is a chain in Python
            return
        script = compile_script(f"if {test} {{ keep; }}", "t", PLAIN)
        assert isinstance(script, Script), str(script)
        code = script.stages[OUTSIDE]
        assert isinstance(code, Plain)
        run = Run(StillFacts(), Limits())
        code.call(run)
        expected = bool(eval(python_of(test)))
        assert bool(run.actions) is expected
        seen[expected] += 1

    check()
    assert min(seen[True], seen[False]) > 20, seen
