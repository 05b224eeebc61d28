"""`make run` and `make demo`, as a user sees them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtad.lab.pair import LaboratoryFault, running_laboratory
from tests.peers.process import open_folder, wait_until

pytestmark = pytest.mark.timeout(240)

RUN = (sys.executable, "-m", "mtad.main", "lab")


class Terminal:
    """`mtad lab` with its output in a file, as when it is piped."""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "output"
        self.state_home = folder
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                RUN,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "XDG_STATE_HOME": str(folder)},
            )

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until it has said something, or ended."""
        wait_until(lambda: text in self.text or self.process.poll() is not None, f"says {text!r}", self.output)
        assert text in self.text, self.text

    def command(self, beginning: str) -> str:
        """Return the first of the printed commands that begins like this."""
        found = re.search(rf"^  ({re.escape(beginning)}.*)$", self.text, re.MULTILINE)
        assert found is not None, self.text
        return found[1]

    def commands(self, containing: str) -> list[str]:
        """Return the printed commands that contain this."""
        return re.findall(rf"^  ([^#\s].*{re.escape(containing)}.*)$", self.text, re.MULTILINE)


def said(command: str) -> str:
    """Run a printed command as the user would, by copying it into a shell."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with open_folder("run") as folder:
        running = Terminal(folder)
        try:
            running.wait_for("Ctrl-C ends the laboratory")
            yield running
        finally:
            running.process.send_signal(signal.SIGINT)
            try:
                running.process.wait(30)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()


def test_what_it_prints_can_be_done(terminal: Terminal) -> None:
    send = next(command for command in terminal.commands("smtplib") if "-c" in command)
    assert said(send).startswith("250 2.0.0 Ok: delivered (sink.example.test: 250 2.0.0 Ok"), "the next hop's own reply"
    if shutil.which("swaks"):
        assert "<** 5" not in said(terminal.command("swaks "))
    for command in terminal.commands("dot 451"):
        assert said(command) == "ok\n"
    reply = said(send)
    queued = re.search(r"250 2\.0\.0 Ok: queued as ([0-9A-Z]{16}) \(2 copies\)", reply)
    assert queued is not None, reply
    for command in terminal.commands("queue list"):
        assert queued[1] in said(command), "on both nodes"
    said(terminal.command("kill -9 "))
    terminal.wait_for("mx2 is active")
    assert "\x1b" not in terminal.text, "plain text in a pipe"
    for command in terminal.commands("dot 451"):
        said(command.replace("dot 451", "reset"))
    terminal.wait_for("queue: 0 on mx2")


def test_ctrl_c_ends_all_of_it(terminal: Terminal) -> None:
    folders = list(terminal.state_home.glob("mtad-lab-*"))
    assert len(folders) == 1
    pids = [int(pid) for pid in re.findall(r"pid (\d+)", terminal.text)]
    assert len(pids) == 2
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(30) == 0
    assert "stopped" in terminal.text
    assert not folders[0].exists()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_nothing_outlives_a_laboratory_that_is_killed(terminal: Terminal) -> None:
    pids = [int(pid) for pid in re.findall(r"pid (\d+)", terminal.text)]
    terminal.process.kill()
    terminal.process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids), "the nodes have ended")


def test_the_demonstration_loses_nothing() -> None:
    done = subprocess.run([*RUN, "--demo"], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    values = dict(re.findall(r"^  (\S.*?)  +(\d\S*)", done.stdout, re.MULTILINE))
    assert int(values["accepted (250)"]) >= 500
    assert int(values["delivered through"]) > 0
    assert int(values["taken over"]) > 0
    assert values["lost"] == "0"
    print(done.stdout)


async def test_a_laboratory_that_cannot_run_says_why() -> None:
    with open_folder("lab") as folder:
        async with running_laboratory(folder, policy="dance;") as laboratory:
            with pytest.raises(LaboratoryFault, match=r"(?s)mx\d ended with [12].*policy\.sieve"):
                await laboratory.wait_protected()
            with pytest.raises(LaboratoryFault, match="commands:"):
                await laboratory.tell_sinks("dance")
            await laboratory.smtp_sink.child.stop()
            with pytest.raises(LaboratoryFault, match="does not answer"):
                await laboratory.tell_sinks("reset")
