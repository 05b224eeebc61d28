"""The documentation does what it says: its commands run, its policies compile, its links lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from mtad.admission.policy import Policy, PolicySettings
from mtad.cli import mtactl
from mtad.lab.ports import free_port
from mtad.mail.srs import Srs
from mtad.main import command
from mtad.maps.table import Table
from mtad.rehearsal.play import play_file
from mtad.sieve.outside import Outside
from mtad.telemetry.events import CollectedEvents
from tests.fakes.programs import RememberedPrograms

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TUTORIAL = ROOT / "docs" / "tutorial" / "first-pair.md"
EVENTS_PAGE = ROOT / "docs" / "reference" / "events.md"
MAP = re.compile(r'"map:([a-z-]+)"')
OWN_MAP = re.compile(r'^map .*?"([a-z-]+)"', re.MULTILINE)
PORTS = ("2601", "2602", "2620", "7601", "7602")  # of the tutorial; a test takes free ones
RUN_SECONDS_MAX = 240  # of the tutorial, on a busy machine
MARK = "@@ end of block"


class Block(NamedTuple):
    """A fenced block; `info` is what stands behind the opening fence."""

    info: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(each[1], each[2], text.count("\n", 0, each.start()) + 1) for each in found]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def steps(page: Path) -> list[tuple[Block, Block | None]]:
    """Return the blocks to run, each with what the page says that it prints."""
    found = blocks(page)
    followers = [*found[1:], Block("", "", 0)]
    return [
        (block, after if after.info == "text" else None)
        for block, after in zip(found, followers, strict=True)
        if block.info == "sh run"
    ]


def pattern(line: str) -> re.Pattern[str]:
    """Return what a line of expected output matches; … stands for anything."""
    return re.compile("".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", line)))


def missing_lines(expected: str, printed: str) -> list[str]:
    """Return the expected lines that were not printed in this order."""
    left: Iterator[str] = iter(printed.splitlines())
    return [line for line in expected.splitlines() if not any(pattern(line).search(each) for each in left)]


def test_what_is_expected_is_looked_for_in_order() -> None:
    assert missing_lines("a … c\nd", "x\na b c\nd e\n") == []
    assert missing_lines("d\na", "a\nd\n") == ["a"]


@pytest.mark.timeout(RUN_SECONDS_MAX + 20)
def test_the_tutorial_runs_as_it_is_written() -> None:
    page = steps(TUTORIAL)
    assert len(page) > 8
    script = "".join(f"{block.text}echo '{MARK}'\n" for block, _ in page)
    assert [port for port in PORTS if port not in script] == []
    ports = {port: str(free_port()) for port in PORTS}
    script = re.sub("|".join(PORTS), lambda found: ports[found[0]], script)  # at once: a free port may hold another's
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MTAD_CONFIG", None)
    with tempfile.TemporaryDirectory(prefix="mtad-docs-") as folder:
        done = subprocess.run(
            [
                "timeout",
                "--kill-after=5",
                str(RUN_SECONDS_MAX),
                "bash",
                "-e",
                "-c",
                f"trap 'kill $(jobs -p)' EXIT\n{script}",
            ],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert list(Path(folder).iterdir()) == [], done.stdout
    printed = done.stdout.split(f"{MARK}\n")
    assert len(printed) == len(page) + 1, done.stdout
    for (block, expected), text in zip(page, printed, strict=False):
        if expected is not None:
            assert missing_lines(expected.text, text) == [], f"{named(TUTORIAL)}:{block.line}\n{text}"


SRS = Srs((b"a secret of tests",))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_policies_compile(page: Path) -> None:
    for block in blocks(page):
        if block.info == "sieve":
            named_maps = {"recipients", *MAP.findall(block.text)} - set(OWN_MAP.findall(block.text))
            outside = Outside(dict.fromkeys(named_maps, Table({})), programs=RememberedPrograms(), srs=SRS)
            settings = PolicySettings((), outside=outside)
            policy = Policy.compile(block.text, f"{named(page)}:{block.line}", settings, CollectedEvents())
            assert isinstance(policy, Policy), str(policy)


def test_the_page_on_testing_policies_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = {"sieve": "policy.sieve", "svtest": "policy.svtest", "dialog": "session.txt"}
    shown = blocks(ROOT / "docs/how-to/test-a-policy.md")
    for block in shown:
        if block.info in written:
            (tmp_path / written[block.info]).write_text(block.text)
    (tmp_path / "letter.eml").write_text("Subject: You have won the lottery\n\n")
    monkeypatch.chdir(tmp_path)
    calls = [block for block in shown if block.info == "sh"]
    printed = [block for block in shown if block.info == "text"]
    assert len(calls) == 2
    for call, expected in zip(calls, printed, strict=True):
        words = shlex.split(call.text.replace("\\\n", " "))
        assert words[0] == "mtactl"
        result = CliRunner().invoke(mtactl.app, words[1:])
        assert result.exit_code == 0, result.output
        assert missing_lines(expected.text, result.stdout) == [], result.stdout


async def test_what_stands_beside_postfix_does_what_it_says(tmp_path: Path) -> None:
    shown = [block for block in blocks(ROOT / "docs/how-to/move-from-postfix.md") if block.info in ("sieve", "svtest")]
    policies, tests = shown[::2], shown[1::2]
    assert len(policies) == len(tests) > 5
    for policy, test in zip(policies, tests, strict=True):
        (tmp_path / "policy.sieve").write_text(policy.text)
        (tmp_path / "policy.svtest").write_text(test.text)
        report = await play_file(tmp_path / "policy.svtest")
        assert report.is_good, (test.line, report)


def commands(page: Path) -> Iterator[list[str]]:
    """Yield each call of mtad and mtactl in the page's shell blocks, as words."""
    for block in blocks(page):
        if block.info.split(" ")[0] in ("", "sh", "console"):
            for line in block.text.replace("\\\n", " ").splitlines():
                for call in re.findall(r"(?:^|\b(?:sudo|until|-u mtad) )\s*(?:\S*/)?((?:mtad|mtactl) [^|>&;#]+)", line):
                    yield shlex.split(call)


def unknown_words(words: list[str]) -> list[str]:
    """Return the verb or the options of a call that its command line does not have."""
    here: Any = get_command(mtactl.app if words[0] == "mtactl" else command.app)
    rest = words[1:]
    while hasattr(here, "commands"):
        if not rest or rest[0] not in here.commands:
            return [] if rest[:1] in (["--version"], ["--help"]) else rest[:1] or ["no verb"]
        here, rest = here.commands[rest[0]], rest[1:]
    known = {option for parameter in here.params for option in parameter.opts}
    return [word for word in rest if word.startswith("-") and word.split("=")[0] not in known]


def test_unknown_words_are_found() -> None:
    assert unknown_words(["mtactl", "--config", "x", "status"]) == ["--config"]
    assert unknown_words(["mtactl", "queue", "frob"]) == ["frob"]
    assert unknown_words(["mtad", "run", "--config", "x", "--frob"]) == ["--frob"]
    assert unknown_words(["mtactl", "queue", "list", "--domain=x"]) == []


def test_every_command_that_is_shown_exists() -> None:
    seen = [(named(page), words) for page in PAGES for words in commands(page)]
    assert len(seen) > 10
    assert [(page, words) for page, words in seen if unknown_words(words)] == []


def unknown_verb(words: list[str]) -> str:
    """Return the first word of a command that stands within a sentence and does not exist."""
    here: Any = get_command(mtactl.app if words[0] == "mtactl" else command.app)
    for word in words[1:]:
        if not hasattr(here, "commands"):
            break
        if word not in here.commands:
            return word
        here = here.commands[word]
    return ""


def test_an_unknown_verb_is_found() -> None:
    assert unknown_verb(["mtactl", "check"]) == "check"
    assert unknown_verb(["mtactl", "queue", "frob"]) == "frob"
    assert unknown_verb(["mtad", "run", "anything"]) == unknown_verb(["mtactl", "queue"]) == ""


def test_every_command_within_a_sentence_exists() -> None:
    pages = [ROOT / "CHANGELOG.md", *PAGES]
    calls = [(named(page), re.findall(r"`((?:mtad|mtactl)(?:\s[a-z]+)+)", page.read_text())) for page in pages]
    seen = [(page, call.split()) for page, found in calls for call in found]
    assert len(seen) > 50
    assert [(page, words) for page, words in seen if unknown_verb(words)] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def event_names() -> set[str]:
    """Return the names of all events that the code can write."""
    texts = re.compile(r"[a-z]+(?:\.[a-z_]+)+")
    names = set()
    for package in ("mtad", "replicator"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.args and _names_an_event(node.func):
                    constants = [each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)]
                    names |= {text for text in constants if isinstance(text, str) and texts.fullmatch(text)}
    return names


def _names_an_event(function: ast.expr) -> bool:
    return (isinstance(function, ast.Attribute) and function.attr in ("emit", "_emit")) or (
        isinstance(function, ast.Name) and function.id == "Note"
    )


def test_every_event_is_on_its_page() -> None:
    named_there = set(re.findall(r"^\| `([a-z_.]+)` \|", EVENTS_PAGE.read_text(), re.MULTILINE))
    written = event_names()
    assert len(written) > 40
    assert sorted(written - named_there) == [], f"add to {named(EVENTS_PAGE)}"
    assert sorted(named_there - written) == [], f"take from {named(EVENTS_PAGE)}"
