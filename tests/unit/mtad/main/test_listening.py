"""The listening sockets: one for each worker on the same ports, and none that another program has."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from mtad.config.forms import Address
from mtad.main.listening import adopt, open_sockets


def close(lists: list[list[socket.socket]]) -> None:
    for sockets in lists:
        for one in sockets:
            one.close()


def test_every_copy_listens_on_every_address_and_a_free_port_is_shared() -> None:
    lists = open_sockets([Address("127.0.0.1", 0), Address("::1", 0)], copies=3)
    try:
        assert [len(sockets) for sockets in lists] == [2, 2, 2]
        for index, family in enumerate((socket.AF_INET, socket.AF_INET6)):
            names = {sockets[index].getsockname()[:2] for sockets in lists}
            assert len(names) == 1
            (name,) = names
            assert name[1] != 0
            with socket.socket(family, socket.SOCK_STREAM) as client:
                client.connect(name)
    finally:
        close(lists)


def test_an_address_of_each_family_may_have_the_same_port() -> None:
    first = open_sockets([Address("0.0.0.0", 0)], copies=1)
    port = first[0][0].getsockname()[1]
    second = open_sockets([Address("::", port)], copies=1)
    assert second[0][0].getsockname()[1] == port
    close(first + second)


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_port_that_another_program_has_is_an_error_that_names_it(is_shared: bool) -> None:
    with socket.socket() as other:
        if is_shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use; another"):
            open_sockets([Address("127.0.0.1", 0), Address("127.0.0.1", port)], copies=2)


def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(
        OSError, match=r"192\.0\.2\.1 port 25: .*; mtad.toml names an address that this machine does not"
    ):
        open_sockets([Address("192.0.2.1", 25)], copies=1)


def test_a_worker_adopts_what_it_was_handed() -> None:
    lists = open_sockets([Address("127.0.0.1", 0)], copies=1)
    name = lists[0][0].getsockname()
    (adopted,) = adopt(str(lists[0][0].detach()))
    try:
        assert adopted.getsockname() == name
        assert adopted.proto == socket.IPPROTO_TCP
    finally:
        adopted.close()


def test_all_copies_take_clients_from_one_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    lists = open_sockets([Address(str(path), 0), Address("127.0.0.1", 0)], copies=2)
    try:
        assert [[one.family for one in sockets] for sockets in lists] == [[socket.AF_UNIX, socket.AF_INET]] * 2
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert not any(os.get_blocking(sockets[0].fileno()) for sockets in lists)
        for sockets in lists:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                sockets[0].accept()[0].close()
    finally:
        close(lists)


def test_a_unix_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    address = Address(str(tmp_path / "lmtp"), 0)
    close(open_sockets([address], copies=1))
    lists = open_sockets([address], copies=1)
    try:
        with pytest.raises(OSError, match="lmtp: Address already in use; another program listens there"):
            open_sockets([address], copies=1)
    finally:
        close(lists)


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("kept")
    with pytest.raises(OSError, match="or it is no socket"):
        open_sockets([Address(str(path), 0)], copies=1)
    assert path.read_text() == "kept"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the folder is not there") as caught:
        open_sockets([Address(str(tmp_path / "none" / "lmtp"), 0)], copies=1)
    assert caught.value.errno == errno.ENOENT
