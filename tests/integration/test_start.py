"""A node that cannot start says why and ends; one that runs already is not disturbed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mtad
from tests.integration.sending import QUEUE_ALL, queue_ids, send
from tests.integration.test_processes import TWO_WORKERS, run_mtad
from tests.peers.mtad import single

WORKERS = [{"node": {"workers": 0}}, TWO_WORKERS]


@pytest.mark.parametrize("settings", WORKERS)
def test_a_second_node_on_the_same_queue_ends_and_the_first_serves_on(settings: dict[str, dict[str, int]]) -> None:
    with single(QUEUE_ALL, settings) as node:
        config = node.config.read_text()
        done = run_mtad(node.config)
        assert done.returncode == 1
        assert f"cannot listen on 127.0.0.1 port {node.smtp_port}" in done.stderr
        other = node.folder / "other.toml"
        other.write_text(config.replace(f"127.0.0.1:{node.smtp_port}", "127.0.0.1:0"))
        done = run_mtad(other)
        assert done.returncode == 1
        assert "mtad: " in done.stderr
        assert "another process" in done.stderr
        assert "Traceback" not in done.stderr
        assert send(node)[0] == 250
        assert len(queue_ids(node)) == 1


@pytest.mark.parametrize("settings", WORKERS)
def test_the_queue_of_another_node_is_not_touched(settings: dict[str, dict[str, int]]) -> None:
    with single(QUEUE_ALL, settings) as node:
        assert send(node)[0] == 250
        node.stop()
        config = node.config.read_text()
        node.config.write_text(config.replace("id = 1\n", "id = 9\n"))
        done = run_mtad(node.config)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "mtad: " in done.stderr
        assert str(node.store) in done.stderr
        node.config.write_text(config)
        node.start()
        assert len(queue_ids(node)) == 1


def test_an_admin_socket_that_a_dead_process_left_is_replaced() -> None:
    with single(QUEUE_ALL, TWO_WORKERS) as node:
        node.kill()
        assert (node.folder / "run" / "admin.sock").exists()
        node.start()
        assert json.loads(node.mtactl("status", "--json"))["role"] == "alone"


def test_a_run_dir_too_long_for_a_socket_is_said() -> None:
    with single(QUEUE_ALL, TWO_WORKERS) as node:
        node.stop()
        long = str(node.folder / ("x" * 120))
        node.config.write_text(node.config.read_text().replace(str(node.folder / "run"), long))
        done = run_mtad(node.config)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert long in done.stderr


@pytest.mark.parametrize("settings", WORKERS)
@pytest.mark.parametrize(("number", "codes"), [(signal.SIGINT, (0, -2)), (signal.SIGTERM, (0, -15))])
def test_whoever_ends_a_start_sees_no_traceback(
    settings: dict[str, dict[str, int]], number: signal.Signals, codes: tuple[int, int]
) -> None:
    """While modules load the signal itself ends the process; from then on it is an end in order.

    On a busy machine Python itself may not be up yet, and dies in its own way: that shows no frame of ours.
    """
    ours = str(Path(mtad.__file__).parent)
    with single(QUEUE_ALL, settings) as node:
        node.stop()
        seen = set()
        for seconds in (0.15, 0.5, 0.8, 1.2):
            command = [sys.executable, "-m", "mtad.main", "run", "--config", str(node.config)]
            with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                time.sleep(seconds)
                process.send_signal(number)
                said, complained = process.communicate(timeout=30)
            is_pythons_own = "Fatal Python error" in complained or "Could not import runpy module" in complained
            if is_pythons_own and ours not in complained:
                continue
            seen.add(process.returncode)
            assert "Traceback" not in said + complained
        assert seen
        assert seen <= set(codes)
