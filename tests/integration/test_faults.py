"""What goes wrong in the world: each gets the right reply, nothing that was answered 250 is lost, the process lives."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable

import pytest

from mtad.lab.conversation import AfterDot, Program
from tests.integration.sending import HEADER, QUEUE_ALL, SENDER, client_of, next_hop, queue_ids, send
from tests.peers.mtad import MtadNode, pair, policy_to, single
from tests.peers.process import open_folder, wait_until

MEGABYTE = 1_000_000
ACK_SECONDS = 3  # a busy machine has confirmed by then


def until_refused(node: MtadNode, body: bytes, tries_max: int = 2000) -> tuple[list[str], tuple[int, str]]:
    """Send until something but 250 comes; return the ids that were answered for, and the refusal."""
    ids = []
    for _ in range(tries_max):
        code, text = send(node, body)
        if code != 250:
            return ids, (code, text)
        ids.append(text.split("queued as ")[1].split()[0])
    raise AssertionError(f"{tries_max} messages were accepted")


def deletes_all(node: MtadNode) -> bool:
    node.mtactl("queue", "delete", "--all", "--yes", expect=None)
    return queue_ids(node) == set()


def check_alive(node: MtadNode) -> None:
    assert node.is_running
    assert node.status()["role"] in ("alone", "active")


def test_a_full_queue_refuses_for_now_and_takes_mail_again_when_there_is_room() -> None:
    with single(QUEUE_ALL, {"queue": {"map_octets_max": 16_777_216}}) as node:
        ids, (code, text) = until_refused(node, b"y" * 70 + b"\r\n" + (b"z" * 76 + b"\r\n") * 3000)
        assert (code, text.split()[0]) == (452, "4.3.1")
        assert len(ids) > 10
        assert queue_ids(node) == set(ids)
        node.mtactl("queue", "delete", "--all", "--yes")
        wait_until(lambda: send(node)[0] == 250, "there is room again", node.log)
        check_alive(node)


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own is mounted by root only")
def test_a_full_disk_refuses_for_now_and_loses_nothing() -> None:
    with open_folder("disk") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
        try:
            with single(QUEUE_ALL, {"node": {"data_dir": str(folder)}, "queue": {"full_percent": 95}}) as node:
                ids, (code, text) = until_refused(node, (b"z" * 76 + b"\r\n") * 3000)
                assert (code, text.split()[0]) == (452, "4.3.1")
                filler = folder / "filler"
                filler.write_bytes(b"\0" * (os.statvfs(folder).f_bavail * 4096))
                more, (code, text) = until_refused(node, b"x\r\n")  # pages that are free inside the file still serve
                assert (code, text.split()[0]) in ((451, "4.3.0"), (452, "4.3.1"))
                assert queue_ids(node) == set(ids) | set(more)
                filler.unlink()
                wait_until(lambda: deletes_all(node), "what is here can end", node.log)
                wait_until(lambda: send(node)[0] == 250, "there is room again", node.log)
                check_alive(node)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def test_without_its_peer_a_node_accepts_one_copy_and_says_so() -> None:
    with pair(QUEUE_ALL, {"replication": {"ack_within_seconds": ACK_SECONDS}}) as (one, two):
        assert send(one)[1].endswith("(2 copies)")
        two.kill()
        replies = [send(one) for _ in range(3)]
        assert [code for code, _ in replies] == [250] * 3
        assert replies[-1][1].endswith("(1 copy)")
        alone = sum(text.endswith("(1 copy)") for _, text in replies)
        assert one.status()["unprotected_messages"] == alone
        two.start()
        wait_until(lambda: one.status()["unprotected_messages"] == 0, "the peer has caught up", one.log)
        assert queue_ids(one) == queue_ids(two)
        assert len(queue_ids(two)) == 4


def test_without_its_peer_a_node_refuses_where_policy_wants_two_copies() -> None:
    with pair(QUEUE_ALL, {"replication": {"ack_within_seconds": ACK_SECONDS, "on_timeout": "reject"}}) as (one, two):
        two.kill()
        replies = [send(one) for _ in range(3)]
        assert {(code, text.split()[0]) for code, text in replies} == {(451, "4.4.0")}
        assert queue_ids(one) == set()
        two.start()
        wait_until(lambda: one.is_protected(), "the pair is protected again", one.log)
        assert send(one)[1].endswith("(2 copies)")


def test_a_peer_that_hangs_costs_one_wait_and_catches_up() -> None:
    with pair(QUEUE_ALL, {"replication": {"ack_within_seconds": ACK_SECONDS}}) as (one, two):
        assert two.process is not None
        two.process.send_signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            assert send(one)[1].endswith("(1 copy)")
            first = time.monotonic() - begun
            begun = time.monotonic()
            later = [send(one) for _ in range(10)]
            rest = time.monotonic() - begun
        finally:
            two.process.send_signal(signal.SIGCONT)
        assert {code for code, _ in later} == {250}
        assert first >= 0.9 * ACK_SECONDS
        assert rest < 10 * ACK_SECONDS  # ten messages did not wait ten times
        wait_until(lambda: len(queue_ids(two)) == 11 and one.is_protected(), "the peer has caught up", one.log)
        assert queue_ids(one) == queue_ids(two)


def test_a_next_hop_that_hangs_is_answered_for_at_the_deadline() -> None:
    with next_hop() as hop, pair(policy_to(hop.port), {"delivery": {"deadline_seconds": 1}}) as (one, two):
        hop.sink.program = Program(after_dot=AfterDot.HANG)
        code, text = send(one)
        assert code == 250
        assert text.endswith("(2 copies)")
        assert "queued as" in text
        assert len(queue_ids(one) & queue_ids(two)) == 1
        check_alive(one)
        one.kill()  # asked kindly, it would wait for the next hop


def test_a_message_over_the_limit_is_refused_at_mail_and_after_its_data() -> None:
    with next_hop() as hop, single(policy_to(hop.port)) as node:
        with client_of(node) as client:
            code, text = client.mail(SENDER, [f"SIZE={100 * MEGABYTE}"])
            assert (code, text.split()[0]) == (552, b"5.3.4")
        before = node.memory_octets()
        with client_of(node) as client:
            client.mail(SENDER)
            client.rcpt("b@example.test")
            client.docmd("DATA")
            piece = (b"x" * 76 + b"\r\n") * 12_000
            assert client.sock is not None
            for _ in range(100 * MEGABYTE // len(piece)):
                client.sock.sendall(piece)
            most = node.memory_octets()
            client.sock.sendall(b".\r\n")
            code, text = client.getreply()
        assert (code, text.split()[0]) == (552, b"5.3.4")
        assert most - before < 80 * MEGABYTE  # the limit is 50 MB, and what is past it is not kept
        assert hop.taken == []
        assert send(node)[0] == 250
        check_alive(node)


def test_two_thousand_recipients_are_taken_as_far_as_the_limit_goes() -> None:
    with next_hop() as hop, single(policy_to(hop.port)) as node:
        with client_of(node) as client:
            client.mail(SENDER)
            answers = [client.rcpt(f"r{number}@example.test") for number in range(2000)]
            code, text = client.data(HEADER + b"\r\nmany\r\n")
        assert [code for code, _ in answers] == [250] * 1000 + [452] * 1000
        assert answers[-1][1].startswith(b"4.5.3")
        assert code == 250, text
        arrived = {recipient for message in hop.taken for recipient in message.recipients}
        assert arrived == {f"r{number}@example.test" for number in range(1000)}


def test_very_long_lines_arrive_as_they_were() -> None:
    with next_hop() as hop, single(policy_to(hop.port)) as node:
        body = (b"q" * 100_000 + b"\r\n") * 5
        assert send(node, body)[0] == 250
        assert hop.taken[0].content.endswith(b"\r\n\r\n" + body)


def test_nul_octets_are_refused_and_the_session_goes_on() -> None:
    with next_hop() as hop, single(policy_to(hop.port)) as node:
        with client_of(node) as client:
            client.mail(SENDER)
            client.rcpt("b@example.test")
            code, _ = client.data(HEADER + b"\r\na\0b\r\n")
            assert 550 <= code < 560
            assert client.noop()[0] == 250
        assert hop.taken == []
        assert send(node)[0] == 250


def test_a_client_that_drops_in_its_data_leaves_nothing_behind() -> None:
    with next_hop() as hop, single(policy_to(hop.port)) as node:
        for _ in range(5):
            client = client_of(node)
            client.mail(SENDER)
            client.rcpt("b@example.test")
            client.docmd("DATA")
            assert client.sock is not None
            client.sock.sendall(HEADER + b"\r\nhalf a mess")
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        _settled(lambda: node.status()["sessions"] == 0)
        assert hop.taken == []
        assert node.queue() == []
        assert send(node)[0] == 250
        assert len(hop.taken) == 1


def _settled(condition: Callable[[], bool]) -> None:
    wait_until(condition, "the sessions have ended")
