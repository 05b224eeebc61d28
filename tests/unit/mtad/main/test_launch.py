"""What is settled before anything is loaded."""

from __future__ import annotations

import os
import signal

import pytest

from mtad.main import command, launch


@pytest.mark.parametrize(("said", "kept"), [(None, "ERROR"), ("debug", "debug")])
def test_grpc_writes_no_lines_of_its_own_unless_somebody_asks_for_them(
    monkeypatch: pytest.MonkeyPatch, said: str | None, kept: str
) -> None:
    monkeypatch.setattr(os, "environ", {} if said is None else {"GRPC_VERBOSITY": said})
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    seen: list[str | None] = []
    monkeypatch.setattr(command, "main", lambda: seen.append(os.environ.get("GRPC_VERBOSITY")))
    launch.main()
    assert seen == [kept]
