"""The limit on open files is raised as far as the system allows, and says how many sessions that is."""

from __future__ import annotations

import resource

import pytest

from mtad.startup import open_files


def test_the_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard // 2, hard))
    try:
        open_files.raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
        assert open_files.files_max() == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("sessions", [1, 100, 12_000])
def test_files_are_enough_for_the_sessions_that_they_are_for(sessions: int) -> None:
    assert open_files.sessions_for(open_files.files_for(sessions)) == sessions
    assert open_files.sessions_for(open_files.files_for(sessions) - 1) == max(1, sessions - 1)


def test_a_process_with_very_few_files_holds_one_session() -> None:
    assert open_files.sessions_for(64) == 1
