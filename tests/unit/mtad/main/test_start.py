"""What keeps a process from starting is said in one line, with an exit code; what is a bug is not hidden."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtad.main.queue_assembly import STORE_ERRORS
from mtad.main.start import EXIT_CANNOT_START, StartError, explained, tell_ready
from replicator.codec import DamagedError
from replicator.store.environment import StoreFormatError, StoreLockedError, StoreOwnerError


@pytest.mark.parametrize(
    "error",
    [
        StartError("policy.sieve:1:1: no"),
        StoreFormatError(Path("/queue"), 9),
        StoreOwnerError(Path("/queue"), 1, 2),
        StoreLockedError("in use"),
        DamagedError("bad"),
        OSError(98, "in use"),
    ],
)
def test_what_may_be_expected_is_a_line_and_an_exit_code(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, explained(*STORE_ERRORS):
        raise error
    assert ended.value.code == EXIT_CANNOT_START
    assert capsys.readouterr().err == f"mtad: {error}\n"


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(KeyError), explained():
        raise KeyError("bug")


def test_the_supervisor_hears_that_a_process_is_up() -> None:
    ours, theirs = os.pipe()
    tell_ready(theirs)
    assert os.read(ours, 9) == b"1"
    assert os.read(ours, 9) == b""
    os.close(ours)


def test_a_supervisor_that_is_gone_does_not_matter() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    tell_ready(theirs)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(theirs)
