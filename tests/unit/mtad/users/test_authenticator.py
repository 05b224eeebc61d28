"""Users authenticate by each mechanism; who is not there is treated as one whose password is wrong."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mtad.mail.envelope import Client
from mtad.mail.sasl import Authenticated, Challenge, Malformed, Rejected, SaslAnswer, Unavailable
from mtad.telemetry.events import CollectedEvents
from mtad.users import authenticator
from mtad.users.authenticator import Users, UsersLimits
from mtad.users.file import PASSWORD_OCTETS_MAX, UsersFile
from mtad.users.verifier import ScramVerifier, fits_argon2
from tests.fakes.users import SECRET, ScramClient, user, write_users

CLIENT = Client("192.0.2.1", 1)
ALICE = "alice@here.example"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_users(tmp_path / "users", alice="pencil", bob="gr\u00fcn")
    return tmp_path / "users"


@pytest.fixture
def events() -> CollectedEvents:
    return CollectedEvents()


@pytest.fixture
def users(path: Path, events: CollectedEvents) -> Users:
    return Users(path, events)


async def by(users: Users, mechanism: str, *responses: bytes | None) -> SaslAnswer:
    """Give responses one after the other; return the answer to the last one."""
    exchange = users.begin(mechanism, CLIENT)
    answers = [await exchange.answer(response) for response in responses]
    assert all(isinstance(answer, Challenge) for answer in answers[:-1])
    return answers[-1]


async def by_scram(users: Users, client: ScramClient) -> SaslAnswer:
    exchange = users.begin("SCRAM-SHA-256", CLIENT)
    challenge = await exchange.answer(client.first())
    if not isinstance(challenge, Challenge):
        return challenge
    ended = await exchange.answer(client.final(challenge.octets))
    if not isinstance(ended, Challenge):
        return ended
    assert client.trusts(ended.octets)
    return await exchange.answer(b"")


class TestPlain:
    @pytest.mark.parametrize(
        "response",
        [
            b"\0alice@here.example\0pencil",
            b"alice@here.example\0alice@here.example\0pencil",
            b"\0Alice@HERE.example\0pencil",
        ],
    )
    async def test_a_user(self, response: bytes, users: Users) -> None:
        assert await by(users, "PLAIN", response) == Authenticated(ALICE)

    async def test_asks_for_it_first(self, users: Users) -> None:
        assert await by(users, "PLAIN", None) == Challenge(b"")

    async def test_a_password_in_another_form_of_unicode(self, users: Users) -> None:
        response = "\0bob@here.example\0gru\u0308n".encode()
        assert await by(users, "PLAIN", response) == Authenticated("bob@here.example")

    @pytest.mark.parametrize(
        "response",
        [
            b"\0alice@here.example\0pencils",
            b"\0alice@here.example\0",
            b"\0carol@here.example\0pencil",
            b"\0\0pencil",
            b"\0alice here\0pencil",
            b"bob@here.example\0alice@here.example\0pencil",
            b"\0alice@here.example\0" + b"x" * (PASSWORD_OCTETS_MAX + 1),
            b"\0alice@here.example\0pen\x07cil",
        ],
    )
    async def test_not_a_user(self, response: bytes, users: Users) -> None:
        assert isinstance(await by(users, "PLAIN", response), Rejected)

    @pytest.mark.parametrize("response", [b"", b"alice\0pencil", b"\0a\0b\0c", b"\0alice\0\xff"])
    async def test_not_its_form(self, response: bytes, users: Users) -> None:
        assert isinstance(await by(users, "PLAIN", response), Malformed)

    async def test_a_name_in_the_log_is_short(self, users: Users) -> None:
        rejected = await by(users, "PLAIN", b"\0" + b"n" * 500 + b"\0pencil")
        assert isinstance(rejected, Rejected)
        assert rejected.name == "n" * 64


class TestLogin:
    async def test_a_user(self, users: Users) -> None:
        assert await by(users, "LOGIN", None) == Challenge(b"Username:")
        assert await by(users, "LOGIN", ALICE.encode()) == Challenge(b"Password:")
        assert await by(users, "LOGIN", None, ALICE.encode(), b"pencil") == Authenticated(ALICE)

    @pytest.mark.parametrize("name", [ALICE, "carol@here.example", ""])
    async def test_not_a_user(self, name: str, users: Users) -> None:
        assert isinstance(await by(users, "LOGIN", name.encode(), b"pencils"), Rejected)

    async def test_not_its_form(self, users: Users) -> None:
        assert isinstance(await by(users, "LOGIN", b"\xff"), Malformed)
        assert isinstance(await by(users, "LOGIN", ALICE.encode(), b"\0pencil"), Malformed)


class TestScram:
    @pytest.mark.parametrize("name", [ALICE, "ALICE@here.example"])
    async def test_a_user(self, name: str, users: Users) -> None:
        assert await by_scram(users, ScramClient(name, "pencil")) == Authenticated(ALICE)
        header = f"n,a={ALICE},"
        assert await by_scram(users, ScramClient(name, "pencil", header=header)) == Authenticated(ALICE)

    @pytest.mark.parametrize(
        ("name", "password", "header"),
        [
            (ALICE, "pencils", "n,,"),
            ("carol@here.example", "pencil", "n,,"),
            ("a b", "pencil", "n,,"),
            (ALICE, "pencil", "n,a=bob@here.example,"),
        ],
    )
    async def test_not_a_user(self, name: str, password: str, header: str, users: Users) -> None:
        client = ScramClient(name, password, header=header)
        assert isinstance(await by_scram(users, client), Rejected)

    async def test_who_is_not_there_has_the_same_salt_each_time(self, users: Users) -> None:
        async def challenged(name: str) -> dict[str, str]:
            challenge = await by(users, "SCRAM-SHA-256", ScramClient(name, "").first())
            assert isinstance(challenge, Challenge)
            return dict(part.split("=", 1) for part in challenge.octets.decode().split(","))

        carol, again, dave, alice = [
            await challenged(name) for name in ("carol@here.example", "Carol@here.example", "dave@here.example", ALICE)
        ]
        assert carol["s"] == again["s"] != dave["s"]
        assert carol["i"] == alice["i"] == "4096"
        assert len(base64.b64decode(carol["s"])) == len(base64.b64decode(alice["s"]))
        assert carol["r"] != again["r"]

    async def test_a_user_whose_verifier_is_unlike_the_others_does_not_stand_out(
        self, path: Path, events: CollectedEvents
    ) -> None:
        found = {name: user(name, "pencil") for name in (f"user{number}@here.example" for number in range(4))}
        odd = replace(found["user0@here.example"], scram=ScramVerifier.of("x", salt=bytes(24), iterations=5000))
        path.write_text(str(UsersFile(SECRET, {**found, odd.name: odd})))
        users = Users(path, events)
        seen: Counter[tuple[int, int]] = Counter()
        for number in range(400):
            verifier = await users.verifier(f"nobody{number}@here.example")
            assert isinstance(verifier, tuple)
            assert not verifier[1]
            seen[(verifier[0].iterations, len(verifier[0].salt))] += 1
        assert set(seen) == {(4096, 16), (5000, 24)}
        assert 60 < seen[(5000, 24)] < 140, "a quarter of them"

    async def test_nobody_can_prove_to_be_a_user_who_is_not_there(
        self, users: Users, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mtad.users.verifier.ScramVerifier.fits", lambda *_: True)
        assert isinstance(await by_scram(users, ScramClient("carol@here.example", "pencil")), Rejected)

    async def test_not_its_form(self, users: Users) -> None:
        assert isinstance(await by(users, "SCRAM-SHA-256", b"p=tls-exporter,,n=a,r=b"), Malformed)
        assert isinstance(await by(users, "SCRAM-SHA-256", b"n,,n=a,r=b", b"nonsense"), Malformed)

    async def test_ends_with_nothing(self, users: Users) -> None:
        client = ScramClient(ALICE, "pencil")
        exchange = users.begin("SCRAM-SHA-256", CLIENT)
        challenge = await exchange.answer(client.first())
        assert isinstance(challenge, Challenge)
        await exchange.answer(client.final(challenge.octets))
        assert isinstance(await exchange.answer(b"more"), Malformed)


class TestWork:
    async def test_is_the_same_for_who_is_not_there(self, users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
        compared: list[str] = []

        def counting(hashed: str, password: str) -> bool:
            compared.append(hashed.rpartition("$")[0].rpartition("$")[0])
            return fits_argon2(hashed, password)

        monkeypatch.setattr(authenticator, "fits_argon2", counting)
        for name in (ALICE, "carol@here.example", ""):
            await by(users, "PLAIN", f"\0{name}\0x".encode())
            await by(users, "PLAIN", f"\0{name}\0\x07".encode())
        assert len(compared) == 6
        assert len(set(compared)) == 1

    async def test_has_a_limit(self, path: Path, events: CollectedEvents, monkeypatch: pytest.MonkeyPatch) -> None:
        users = Users(path, events, UsersLimits(hashes_max=1, waiting_max=2))
        at_once, most = 0, 0

        async def to_thread(work, *arguments):  # type: ignore[no-untyped-def]
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1
            return work(*arguments)

        monkeypatch.setattr(authenticator.asyncio, "to_thread", to_thread)
        await by(users, "PLAIN", b"\0x\0x")
        answers = await asyncio.gather(*(by(users, "PLAIN", b"\0alice@here.example\0pencil") for _ in range(4)))
        assert most == 1
        assert sorted(type(answer).__name__ for answer in answers) == ["Authenticated"] * 2 + ["Unavailable"] * 2
        assert await by(users, "PLAIN", b"\0alice@here.example\0pencil") == Authenticated(ALICE)


class TestFile:
    async def test_is_read_again_when_it_has_changed(self, users: Users, path: Path, events: CollectedEvents) -> None:
        response = b"\0carol@here.example\0paper"
        for _ in range(2):
            assert isinstance(await by(users, "PLAIN", response), Rejected)
        write_users(path.with_name("new"), carol="paper")
        path.with_name("new").rename(path)
        assert await by(users, "PLAIN", response) == Authenticated("carol@here.example")
        assert isinstance(await by(users, "PLAIN", b"\0alice@here.example\0pencil"), Rejected)
        assert [event["users"] for event in events.named("users.read")] == [2, 1]

    async def test_the_last_good_one_is_kept(self, users: Users, path: Path, events: CollectedEvents) -> None:
        response = b"\0alice@here.example\0pencil"
        assert await by(users, "PLAIN", response) == Authenticated(ALICE)
        path.chmod(0o644)
        for _ in range(2):
            assert await by(users, "PLAIN", response) == Authenticated(ALICE)
        path.unlink()
        assert await by(users, "PLAIN", response) == Authenticated(ALICE)
        whys = [str(event["why"]).removeprefix(f"{path}: ") for event in events.named("users.unusable")]
        assert whys == ["is open to others (mode 0644)", "cannot be read: No such file or directory"]

    async def test_without_one_nobody_is_refused(self, tmp_path: Path, events: CollectedEvents) -> None:
        users = Users(tmp_path / "users", events)
        for _ in range(2):
            assert isinstance(await by(users, "PLAIN", b"\0alice@here.example\0pencil"), Unavailable)
            assert isinstance(await by(users, "SCRAM-SHA-256", b"n,,n=a,r=b"), Unavailable)
        assert len(events.named("users.unusable")) == 1
        write_users(tmp_path / "users", alice="pencil")
        assert await by(users, "PLAIN", b"\0alice@here.example\0pencil") == Authenticated(ALICE)

    async def test_without_users_all_are_refused(self, path: Path, users: Users) -> None:
        write_users(path)
        assert isinstance(await by(users, "PLAIN", b"\0alice@here.example\0"), Rejected)
        assert isinstance(await by_scram(users, ScramClient(ALICE, "")), Rejected)
