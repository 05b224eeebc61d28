"""A slice of `make fuzz`, and that it finds what is planted."""

from __future__ import annotations

import pytest

from mtad.delivery.reply_parser import Broken, ReplyParser
from mtad.mail.reply import Reply
from mtad.server import framing
from mtad.sieve import lexer
from tests.fuzz.__main__ import batches
from tests.fuzz.search import fault_of, minimised, search
from tests.fuzz.targets import TARGETS
from tests.fuzz.targets import framing as feed_framing

SLICE = {"framing": 5_000, "client": 5_000, "session": 1_500, "script": 3_000, "message": 500}


@pytest.mark.parametrize("name", TARGETS)
def test_a_slice_of_the_search(name: str) -> None:
    found = search(TARGETS[name], SLICE[name], seed=20261122)
    assert found.fault is None, fault_of(TARGETS[name].feed, found.fault or b"")
    assert found.inputs_count == SLICE[name]
    assert found.kinds_count > 10, "the search goes nowhere"


@pytest.mark.parametrize("name", TARGETS)
def test_a_search_is_told_by_its_seed(name: str) -> None:
    first, second = (search(TARGETS[name], 300, seed=7) for _ in range(2))
    assert first.kinds_count == second.kinds_count


def test_a_reader_that_forgets_its_overlap_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "_OVERLAP", 3)
    found = search(TARGETS["framing"], 20_000, seed=1)
    assert found.fault is not None
    assert b"\r\n.\r\n" in b"\r\n" + found.fault


def test_a_parser_that_forgets_half_a_line_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = ReplyParser.feed

    def forgets(self: ReplyParser, octets: bytes) -> list[Reply | Broken]:
        self._partial = b""
        return feed(self, octets)

    monkeypatch.setattr(ReplyParser, "feed", forgets)
    assert search(TARGETS["client"], 5_000, seed=1).fault is not None


def test_a_server_that_passes_stray_line_ends_on_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "spoilt_by_octets", lambda octets, *, line_octets_max: None)
    found = search(TARGETS["session"], 3_000, seed=1)
    assert found.fault is not None


def test_a_lexer_that_faults_at_a_large_number_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexer, "_DIGITS_MAX", 10_000)
    monkeypatch.setattr(lexer, "NUMBER_MAX", None)
    assert search(TARGETS["script"], 2_000, seed=1).fault is not None


def test_what_is_made_small_is_still_a_fault() -> None:
    def feed(octets: bytes) -> None:
        assert octets.count(b"a") < 3

    assert minimised(feed, b"xaxxaxxxaxa") == b"aaa"
    assert fault_of(feed_framing, b"") == ""


def test_a_campaign_has_as_many_inputs_as_are_asked_for() -> None:
    planned = batches(1_000_000, 1)
    assert sum(inputs for _, inputs, _ in planned) == 1_000_000
    assert len({(name, seed) for name, _, seed in planned}) == len(planned)
