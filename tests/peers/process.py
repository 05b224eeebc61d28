"""Starting a peer's process, waiting until it answers, and ending it by its pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 10.0
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class PeerUnavailable(AssertionError):  # noqa: N818
    """A peer cannot be started here; a test that needs it fails and says what to do."""


def program(name: str) -> str:
    """Return the path of an installed program. Errors: PeerUnavailable."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":" + _SYSTEM_PATH)
    if found is None:
        raise PeerUnavailable(f"{name} is not installed: `make peers` installs it")
    return found


@contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """Make a folder that a program's own users may enter, unlike pytest's, and remove it at the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"mtad-{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(
    command: Sequence[str], is_ready: Callable[[], bool], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; its children are ended with it.

    It leads a process group of its own, which is what a program like Postfix's master ends its children by.
    Errors: PeerUnavailable, with the end of the log, when it does not become ready.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment,
        )
    try:
        wait_until(lambda: process.poll() is not None or is_ready(), f"{command[0]} answers", log)
        if process.poll() is not None:
            raise PeerUnavailable(f"{command[0]} ended with {process.returncode}\n{tail(log)}")
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process group by the pid of its leader, with patience first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what its leader has left behind
    except ProcessLookupError:
        return


def wait_until(condition: Callable[[], bool], what: str, log: Path | None = None) -> None:
    """Wait until a condition holds. Errors: PeerUnavailable, saying what never happened."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise PeerUnavailable(f"not within {READY_SECONDS_MAX:g} s: {what}\n{tail(log) if log else ''}")
        time.sleep(0.05)


def greets(port: int) -> bool:
    """Tell whether a server on loopback sends a 220 greeting."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as peer:
            peer.settimeout(5)
            return peer.recv(512).startswith(b"220")
    except OSError:
        return False


def tail(log: Path, lines_max: int = 30) -> str:
    """Return the end of a log, for a message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines_max:]) if log.exists() else ""


def is_alive(pid: int) -> bool:
    """Tell whether a process runs or is stopped; one that waits to be reaped is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
