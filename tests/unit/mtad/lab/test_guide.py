"""What the laboratory says."""

from __future__ import annotations

import ast
import shlex

import pytest

from mtad.lab.guide import Seen, Shown, Tools, changes, guide, send_by_python

ACTIVE = Shown("mx1", "active", 2525, 41, "/lab/mx1/run/admin.sock", (2587, 2465), 7261)
PASSIVE = Shown("mx2", "passive", 2526, 42, "/lab/mx2/run/admin.sock", (2588, 2466), 7262)
TOOLS = Tools(".venv/bin/python", ".venv/bin/mtactl")


def test_the_commands_name_what_runs() -> None:
    commands = [command for section in guide((ACTIVE, PASSIVE), (7001, 7002), TOOLS) for command in section.commands]
    assert "swaks --server 127.0.0.1:2525 --from you@lab.test --to friend@example.test" in commands
    user = "--auth PLAIN --auth-user you@lab.test --auth-password laboratory"
    assert f"swaks --server 127.0.0.1:2587 --from you@lab.test --to friend@example.test --tls {user}" in commands
    assert ".venv/bin/python -m mtad.lab.sink tell 7002 dot 451" in commands
    assert ".venv/bin/mtactl queue list --node /lab/mx2/run/admin.sock" in commands
    assert "curl http://127.0.0.1:7261/metrics" in commands
    assert "curl http://127.0.0.1:7262/healthz" in commands
    assert "kill -9 41" in commands


def test_the_python_line_survives_the_shell() -> None:
    python, option, program = shlex.split(send_by_python(TOOLS, 2525))
    assert (python, option) == (".venv/bin/python", "-c")
    ast.parse(program)
    assert r"Subject: Hello\r\n\r\nHello\r\n" in program


PAIR = (Seen("mx1", True, "active", True, 0), Seen("mx2", True, "passive", True, 0))


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (PAIR, []),
        ((PAIR[0], Seen("mx2", True, "active", True, 0)), ["mx2 is active"]),
        ((Seen("mx1", True), PAIR[1]), ["queue: 0 on mx2"]),
        ((Seen("mx1", False), PAIR[1]), ["mx1 has ended", "queue: 0 on mx2"]),
        (
            (Seen("mx1", True, "active", True, 3), Seen("mx2", True, "passive", True, 2)),
            ["queue: 3 on mx1, 2 on mx2"],
        ),
        ((PAIR[0], Seen("mx2", True, "passive", False, 0)), []),
    ],
)
def test_tells_what_has_changed(after: tuple[Seen, Seen], told: list[str]) -> None:
    assert changes(PAIR, after) == told


def test_tells_of_the_return() -> None:
    before = (Seen("mx1", False), Seen("mx2", True, "active", False, 4))
    started = (Seen("mx1", True), before[1])
    assert changes(before, started) == ["mx1 was started"]
    back = (Seen("mx1", True, "passive", True, 4), Seen("mx2", True, "active", True, 4))
    assert changes(started, back) == [
        "mx1 is passive",
        "the pair is protected: what is queued is on two disks",
        "queue: 4 on mx1, 4 on mx2",
    ]
