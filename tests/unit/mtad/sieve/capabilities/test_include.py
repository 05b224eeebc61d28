from __future__ import annotations

from collections.abc import Mapping

import pytest

from mtad.sieve.actions import FileInto
from mtad.sieve.code import Plain
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.language import OUTSIDE, Language
from mtad.sieve.outside import Outside
from mtad.sieve.run import LimitExceeded, Limits, Run
from mtad.sieve.script import INCLUDES_MAX, INCLUDES_NESTED_MAX, Script, compile_script
from tests.fakes.sieve_facts import StillFacts

REQUIRE = 'require ["include", "fileinto", "variables"]; '


def compiled(text: str, others: Mapping[str, str], language: Language = PLAIN) -> Script | SieveErrors:
    def library(location: str, name: str) -> str | None:
        found = others.get(f"{location}/{name}") or others.get(name)
        return REQUIRE + found if found is not None else None

    return compile_script(REQUIRE + text, "main", language, Outside(scripts=library))


def filed(text: str, limits: Limits | None = None, **others: str) -> list[str]:
    script = compiled(text, others)
    assert isinstance(script, Script), str(script)
    code = script.stages[OUTSIDE]
    assert isinstance(code, Plain)
    run = Run(StillFacts(), limits or Limits())
    code.call(run)
    return [action.mailbox for action in run.actions if isinstance(action, FileInto)]


def errors(text: str, **others: str) -> list[str]:
    found = compiled(text, others)
    assert isinstance(found, SieveErrors)
    return [str(error) for error in found.errors]


def test_a_script_runs_where_it_is_included() -> None:
    assert filed('fileinto "1"; include "a"; fileinto "3";', a='fileinto "2";') == ["1", "2", "3"]


def test_return_ends_the_included_script_and_stop_all() -> None:
    part = 'if true { fileinto "2"; return; } fileinto "x";'
    assert filed('include "a"; fileinto "3"; return; fileinto "y";', a=part) == ["2", "3"]
    assert filed('include "a"; fileinto "3";', a='fileinto "2"; stop;') == ["2"]


def test_the_same_script_may_be_included_again_but_with_once() -> None:
    part = 'fileinto "a";'
    assert filed('include "a"; include "a"; include :once "a";', a=part) == ["a", "a"]
    assert filed('include :once "a"; include :once "a";', a=part) == ["a"]


def test_each_run_of_a_script_begins_with_empty_variables() -> None:
    part = 'fileinto "${own}a"; set "own" "x"; set "global.all" "${global.all}y";'
    assert filed('include "a"; include "a"; fileinto "${global.all}";', a=part) == ["a", "a", "yy"]


def test_match_variables_are_a_scripts_own_however_it_ends() -> None:
    matched = 'if string :matches "1-2" "*-*" { fileinto "<${1}>"; } '
    for end in ("", "return;"):
        part = f'fileinto "<${{1}}>"; if string :matches "3-4" "*-*" {{ fileinto "<${{1}}>"; {end} }}'
        assert filed(f'{matched} include "a"; fileinto "<${{2}}>";', a=part) == ["<1>", "<>", "<3>", "<2>"]


def test_emptying_variables_counts() -> None:
    part = "".join(f'set "v{number}" "";' for number in range(200))
    filed('include "a";', Limits(nodes_max=401), a=part)
    with pytest.raises(LimitExceeded):
        filed('include "a";', Limits(nodes_max=400), a=part)


def test_each_script_has_its_own_variables_but_those_it_shares() -> None:
    part = 'fileinto "<${v}>"; set "v" "theirs";'
    assert filed('set "v" "ours"; include "a"; fileinto "${v}";', a=part) == ["<>", "ours"]
    part = 'global "V"; fileinto "<${v}>"; set "v" "theirs";'
    assert filed('global ["v", "w"]; set "v" "ours"; include "a"; fileinto "${v}";', a=part) == ["<ours>", "theirs"]
    part = 'set "global.v" "theirs";'
    assert filed('include "a"; fileinto "${global.v}${v}";', a=part) == ["theirs"]


def test_where_scripts_come_from() -> None:
    others = {"global/a": 'fileinto "everybody";', "personal/a": 'fileinto "mine";'}
    script = compiled('include "a"; include :global "a";', others)
    assert isinstance(script, Script)


def test_what_may_be_missing() -> None:
    assert filed('include :optional "a"; fileinto "1";') == ["1"]
    assert errors('include "a";') == ['main:1:55: there is no personal script "a"']
    assert errors('include :global "a";') == ['main:1:63: there is no global script "a"']


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('include "../a";', '"../a" is no name of a script'),
        ('include ".a";', '".a" is no name of a script'),
        ('include "";', '"" is no name of a script'),
        ('include :personal :global "a";', ":global stands beside :personal: only one of them is possible"),
        ('include "${a}";', "argument 1 of include must be a constant string: it may hold no variables"),
        ('global "a b";', '"a b" is no name of a variable'),
        ('set "v" ""; global "v";', '"v" is already a variable of this script alone'),
        ('fileinto "${global.a.b}";', '"global.a.b": it is one name'),
    ],
)
def test_mistakes(text: str, error: str) -> None:
    assert errors(text)[0].split(": ", 1)[1] == error


def test_errors_of_included_scripts_are_told_with_their_file() -> None:
    found = errors('include "a"; melt;', a="snow;\nfall;")
    assert found == [
        'a.sieve:1:47: unknown command snow',
        "a.sieve:2:1: unknown command fall",
        "main:1:60: unknown command melt",
    ]  # fmt: skip


def test_circles_and_depths_end() -> None:
    assert any('"a" includes itself' in error for error in errors('include "a";', a='include "b";', b='include "a";'))
    chain = {f"s{number}": f'include "s{number + 1}";' for number in range(INCLUDES_NESTED_MAX + 1)}
    assert any("is included deeper than" in error for error in errors('include "s0";', **chain, s11="stop;"))
    many = {f"s{number}": "stop;" for number in range(INCLUDES_MAX + 1)}
    text = "".join(f'include "{name}";' for name in many)
    assert any("included scripts" in error for error in errors(text, **many))


def test_a_script_that_doubles_at_each_level_ends_by_its_budget() -> None:
    chain = {f"s{number}": f'include "s{number + 1}"; ' * 8 for number in range(9)}
    with pytest.raises(LimitExceeded, match="nodes"):
        filed('include "s0";', **chain, s9='set "a" "b";')


def outside(text: str) -> Outside:
    return Outside(scripts=lambda location, name: text)


def test_a_policy_includes_what_stands_in_its_stage() -> None:
    text = 'require ["vnd.mtad.stage", "vnd.mtad.verdict"]; stage "rcpt" { include "a"; }'
    found = compile_script(text.replace('"vnd', '"include", "vnd', 1), "p", POLICY, outside('if exists "x" {}'))
    assert isinstance(found, SieveErrors)
    assert 'a.sieve:1:4: exists is not legal in stage "rcpt"' in str(found)
    part = 'require ["vnd.mtad.verdict"]; ereject "no";'
    found = compile_script(text.replace('"vnd', '"include", "vnd', 1), "p", POLICY, outside(part))
    assert isinstance(found, Script)
