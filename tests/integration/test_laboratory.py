"""`make run` and `make demo`, as a user sees them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mtad.lab.pair import LaboratoryFault, running_laboratory
from tests.peers.process import open_folder, wait_until

pytestmark = pytest.mark.timeout(240)

RUN = (sys.executable, "-m", "mtad.main", "lab")


class Laboratory:
    """`mtad lab`, with its output in a pipe or on a terminal, as the standard output given is."""

    def __init__(self, folder: Path, stdin: int, stdout: int) -> None:
        self.state_home = folder
        self.process = subprocess.Popen(
            RUN, stdin=stdin, stdout=stdout, stderr=stdout, env={**os.environ, "XDG_STATE_HOME": str(folder)}
        )
        self.output = folder / "output"

    @property
    def text(self) -> str:
        """What it has said, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.output.read_text())

    @property
    def pids(self) -> list[int]:
        """The pids of the nodes, as it prints them; the active one first."""
        return [int(pid) for pid in re.findall(r"pid (\d+)", self.text)]

    def name(self, role: str) -> str:
        """Return the name of the node that had this role at the start."""
        found = re.search(rf"(mx\d) +{role}", self.text)
        assert found is not None, self.text
        return found[1]

    def wait_for(self, text: str) -> None:
        """Wait until it has said something, or ended."""
        wait_until(lambda: text in self.text or self.process.poll() is not None, f"says {text!r}", self.output)
        assert text in self.text, self.text

    def commands(self, containing: str) -> list[str]:
        """Return the printed commands that contain this."""
        return re.findall(rf"^  (?=[^#\s])(.*{re.escape(containing)}.*)$", self.text, re.MULTILINE)


def said(command: str) -> str:
    """Run a printed command as the user would, by copying it into a shell."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def started(folder: Path, stdin: int, stdout: int) -> Iterator[Laboratory]:
    """Run the laboratory until the block ends."""
    laboratory = Laboratory(folder, stdin, stdout)
    try:
        laboratory.wait_for("Ctrl-C ends the laboratory")
        yield laboratory
    finally:
        laboratory.process.send_signal(signal.SIGINT)
        try:
            laboratory.process.wait(30)
        except subprocess.TimeoutExpired:
            laboratory.process.kill()
            laboratory.process.wait()


def test_what_it_prints_can_be_done() -> None:
    with (
        open_folder("run") as folder,
        (folder / "output").open("wb") as output,
        started(folder, subprocess.DEVNULL, output.fileno()) as laboratory,
    ):
        send = laboratory.commands("smtplib")[0]
        sent = said(send)
        assert sent.startswith("250 2.0.0 Ok: delivered (sink.example.test: 250 2.0.0 Ok"), "the next hop's own reply"
        swaks = laboratory.commands("swaks")[0]
        assert "250 2.0.0 Ok: delivered (sink.example.test: 250" in said(f"PATH=$PATH:/usr/bin {swaks}")
        heal = [command.replace("dot 451", "reset") for command in laboratory.commands("dot 451")]
        for command in laboratory.commands("dot 451"):
            assert said(command) == "ok\n"
        queued = re.search(r"250 2\.0\.0 Ok: queued as ([0-9A-Z]{16}) \(2 copies\)", said(send))
        assert queued is not None
        for command in laboratory.commands("queue list"):
            assert queued[1] in said(command), "on both nodes"
        said(laboratory.commands("kill -9")[0])
        laboratory.wait_for(f"{laboratory.name('passive')} is active")
        for command in heal:
            said(command)
        laboratory.wait_for(f"queue: 0 on {laboratory.name('passive')}")
        assert "\x1b" not in laboratory.output.read_text(), "plain text in a pipe"
        (place,) = folder.glob("mtad-lab-*")
        laboratory.process.send_signal(signal.SIGINT)
        assert laboratory.process.wait(30) == 0
        assert laboratory.text.rstrip().endswith("stopped")
        assert not place.exists()
        assert not any(is_running(pid) for pid in laboratory.pids)


def test_on_a_terminal_enter_starts_a_killed_node_again() -> None:
    leader, follower = os.openpty()
    with open_folder("run") as folder, started_on_terminal(folder, leader, follower) as laboratory:
        os.kill(laboratory.pids[0], signal.SIGKILL)
        laboratory.wait_for("press Enter to start")
        laboratory.wait_for(f"{laboratory.name('passive')} is active")
        os.write(leader, b"\n")
        laboratory.wait_for(f"{laboratory.name('active')} was started")
        laboratory.wait_for("the pair is protected")
        laboratory.process.kill()
        laboratory.process.wait()
        wait_until(lambda: not any(is_running(pid) for pid in laboratory.pids), "its nodes end with it")


@contextmanager
def started_on_terminal(folder: Path, leader: int, follower: int) -> Iterator[Laboratory]:
    """Run the laboratory on a terminal, with what it shows copied to its output file."""

    def copy() -> None:
        with (folder / "output").open("wb", buffering=0) as output, suppress(OSError):
            while octets := os.read(leader, 4096):
                output.write(octets)

    (folder / "output").touch()
    copying = threading.Thread(target=copy)
    copying.start()
    try:
        with started(folder, follower, follower) as laboratory:
            yield laboratory
    finally:
        os.close(follower)
        copying.join(10)
        os.close(leader)


def is_running(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


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
