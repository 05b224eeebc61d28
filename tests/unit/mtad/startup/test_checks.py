"""Each check passes on a sound node, and fails on the one thing that was broken, with what mends it."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mtad.config.read import read
from mtad.config.settings import Settings
from mtad.startup import checks, provision
from mtad.startup.checks import Finding, Grade, failed, filesystem_type, run_checks
from mtad.startup.new_node import Asked, NewNode, plan, write_new_node
from mtad.telemetry.events import CollectedEvents
from tests.fakes.users import write_users

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> NewNode:
    """A pair's files; made once, because keys take time."""
    folder = tmp_path_factory.mktemp("template") / "node"
    asked = Asked("mx1.example.org", ["example.org"], "mx2=mx2.example.org", ["127.0.0.1:0"])
    new = plan(folder, asked, NOW.date())
    assert isinstance(new, NewNode)
    write_new_node(new)
    return new


@pytest.fixture
def node(template: NewNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound node's folder, to be broken."""
    monkeypatch.setattr(checks.open_files, "files_max", lambda: 12_768)
    monkeypatch.setattr(checks, "filesystem_type", lambda path: "ext4")  # whatever the tests' files are on
    for source in template.folder.rglob("*"):
        target = tmp_path / source.relative_to(template.folder)
        if source.is_dir():
            provision.make_private_folder(target)
        else:
            provision.write_private(target, source.read_bytes())
    return tmp_path


def settings_of(node: Path, edit: Callable[[str], str] = lambda text: text) -> Settings:
    path = node / "mtad.toml"
    path.write_text(edit(path.read_text()))
    settings = read(path)
    assert isinstance(settings, Settings), str(settings)
    return settings


def found(settings: Settings, now: datetime = NOW) -> list[Finding]:
    return [each for each in run_checks(settings, CollectedEvents(), now) if each.grade is not Grade.OK]


def only(settings: Settings, now: datetime = NOW) -> Finding:
    (finding,) = found(settings, now)
    return finding


@pytest.mark.parametrize(
    ("listen", "grade"), [("127.0.0.1:7251", Grade.OK), ("192.0.2.1:1", Grade.OK), ("[::]:1", Grade.WARN)]
)
def test_metrics_for_whoever_reaches_the_machine_are_worth_a_word(node: Path, listen: str, grade: Grade) -> None:
    settings = settings_of(node, lambda text: f'{text}\n[monitoring]\nlisten = ["{listen}"]\n')
    (finding,) = [each for each in run_checks(settings, CollectedEvents(), NOW) if each.check == "monitoring"]
    assert finding.grade is grade


def test_a_sound_node_passes_every_check(node: Path) -> None:
    findings = run_checks(settings_of(node), CollectedEvents(), NOW)
    assert [each.grade for each in findings] == [Grade.OK] * len(findings)
    names = [each.check.split(" ")[0] for each in findings]
    assert names == ["dkim", "tls", "replication", "data", "run", "files", "policy"]
    assert not failed(findings)


def test_the_peers_files_are_sound_too(node: Path) -> None:
    assert found(settings_of(node / "for-mx2")) == []


def test_without_a_dkim_key(node: Path) -> None:
    settings = dataclasses.replace(settings_of(node), dkim=dataclasses.replace(settings_of(node).dkim, keys=()))
    finding = only(settings)
    assert (finding.check, finding.grade, finding.found) == ("dkim", Grade.FAIL, "no DKIM key is configured")
    assert "mtad init" in finding.mend
    assert failed((finding,))


def test_a_dkim_key_that_is_missing(node: Path) -> None:
    (node / "keys/dkim.key").unlink()
    finding = only(settings_of(node))
    assert finding.grade is Grade.FAIL
    assert finding.found == f"{node}/keys/dkim.key: No such file or directory"
    assert finding.mend.startswith(f"openssl genrsa -out {node}/keys/dkim.key 2048")


def test_a_dkim_key_that_is_none(node: Path) -> None:
    (node / "keys/dkim.key").write_text("key")
    finding = only(settings_of(node))
    assert "is not a private key in PEM form" in finding.found
    assert finding.mend == "name the file of a private key there", "what is there may be something else that is needed"


def test_a_short_dkim_key_is_a_warning(node: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (node / "keys/dkim.key").write_bytes(pem)
    finding = only(settings_of(node))
    assert (finding.grade, finding.found) == (Grade.WARN, f"{node}/keys/dkim.key has only 1024 bits")
    assert not failed((finding,))


@pytest.mark.parametrize("name", ["keys/dkim.key", "tls/mx1.example.org.key", "replication/mx1.key"])
@pytest.mark.parametrize(
    ("mode", "grade"), [(0o604, Grade.FAIL), (0o660, Grade.FAIL), (0o640, Grade.OK), (0o400, Grade.OK)]
)
def test_a_private_file_that_others_can_read(node: Path, name: str, mode: int, grade: Grade) -> None:
    (node / name).chmod(mode)
    findings = found(settings_of(node))
    assert [each.grade for each in findings] == ([Grade.FAIL] if grade is Grade.FAIL else [])
    if findings:
        assert findings[0].found == f"{node / name} is open to others (mode {mode:04o})"
        assert findings[0].mend == f"chmod 600 {node / name}"


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (None, "is no file that is there"),
        (0o644, "may not be executed by this user"),
        (0o775, "(mode 0775)"),
        (0o755, None),
    ],
)
def test_what_is_run_at_a_change_of_role(node: Path, mode: int | None, message: str | None) -> None:
    script = node / "on-role"
    if mode is not None:
        script.write_text("#!/bin/sh\n")
        script.chmod(mode)
    settings = settings_of(node, lambda text: f'{text}\n[replication.on_role]\ncommand = "on-role"\n')
    if message is None:
        assert found(settings) == []
        return
    finding = only(settings)
    assert (finding.check, finding.grade) == ("on_role", Grade.FAIL)
    assert str(script) in finding.found
    assert message in finding.found


def test_the_folder_of_programs(node: Path) -> None:
    folder = node / "programs"
    settings = settings_of(node, lambda text: f'{text}\n[programs]\nfolder = "programs"\n')
    finding = only(settings)
    assert (finding.check, finding.grade, finding.found) == (
        "programs",
        Grade.FAIL,
        f"{folder}: No such file or directory",
    )
    folder.mkdir(mode=0o755)
    assert found(settings) == []
    folder.chmod(0o777)
    assert only(settings).found == f"others can write to {folder} (mode 0777)"


def test_a_program_that_the_policy_names(node: Path) -> None:
    (node / "programs").mkdir(mode=0o755)
    text = 'require ["vnd.dovecot.execute", "vnd.mtad.stage"];\nstage "mail" { execute "look"; }\n'
    (node / "policy.sieve").write_text(text)
    settings = settings_of(node, lambda text: f'{text}\n[programs]\nfolder = "programs"\n')
    finding = only(settings)
    assert (finding.check, finding.grade) == ("policy", Grade.FAIL)
    assert f'program "look": {node / "programs" / "look"}: No such file' in finding.found
    (node / "programs" / "look").write_text("#!/bin/sh\n")
    (node / "programs" / "look").chmod(0o755)
    assert found(settings) == []


def letting_users_in(node: Path) -> Settings:
    return settings_of(
        node, lambda text: text.replace('["127.0.0.1:0"]', '["127.0.0.1:0", "submission://127.0.0.1:0"]')
    )


def test_users_that_may_come_in(node: Path) -> None:
    write_users(node / "users", alice="pencil")
    assert found(letting_users_in(node)) == []


def test_without_users_where_they_may_come_in(node: Path) -> None:
    settings = letting_users_in(node)
    finding = only(settings)
    assert (finding.grade, finding.found) == (Grade.FAIL, f"{node}/users: cannot be read: No such file or directory")
    assert finding.mend.startswith("`mtactl user add NAME`")
    write_users(node / "users")
    assert (only(settings).grade, only(settings).found) == (
        Grade.WARN,
        f"{node}/users has no users: nobody can submit mail",
    )
    (node / "users").chmod(0o644)
    assert (only(settings).grade, only(settings).found) == (Grade.FAIL, f"{node}/users: is open to others (mode 0644)")


def test_credentials_must_be_readable_and_private(node: Path) -> None:
    path = node / "relay.toml"
    settings = settings_of(node, lambda text: f'{text}\n[delivery.credentials]\nrelay = "relay.toml"\n')
    assert (only(settings).check, only(settings).grade) == ("credentials relay", Grade.FAIL)
    assert only(settings).found == f"{path}: cannot be read: No such file or directory"
    path.write_text('user = "a"\npassword = "b"\n')
    path.chmod(0o644)
    assert only(settings).found == f"{path}: is open to others (mode 0644)"
    path.chmod(0o640)
    assert found(settings) == []


def test_a_policy_may_log_in_with_what_is_configured_alone(node: Path) -> None:
    (node / "relay.toml").write_text('user = "a"\npassword = "b"\n')
    (node / "relay.toml").chmod(0o640)
    (node / "policy.sieve").write_text(
        'require ["vnd.mtad.stage", "vnd.mtad.route"];\nstage "deliver" { route :host "a" :auth "relay" "smtp"; }\n'
    )
    assert only(settings_of(node, lambda text: text)).check == "policy"
    named = settings_of(node, lambda text: f'{text}\n[delivery.credentials]\nrelay = "relay.toml"\n')
    assert found(named) == []


def test_without_tls_is_a_warning(node: Path) -> None:
    settings = settings_of(node, lambda text: "\n".join(x for x in text.splitlines() if not x.startswith("tls_")))
    finding = only(settings)
    assert (finding.grade, finding.found) == (Grade.WARN, "no certificate: STARTTLS is not offered")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tls/mx1.example.org.pem", None, "No such file or directory"),
        ("tls/mx1.example.org.pem", "x", "is not a certificate in PEM form"),
        ("tls/mx1.example.org.key", None, "No such file or directory"),
        ("tls/mx1.example.org.key", "x", "is not a private key in PEM form"),
        ("tls/mx1.example.org.key", "keys/dkim.key", "is not the key of"),
        ("replication/mx1.pem", None, "No such file or directory"),
        ("replication/mx1.key", "tls/mx1.example.org.key", "is not the key of"),
        ("replication/ca.pem", None, "No such file or directory"),
        ("replication/ca.pem", "x", "is not a certificate in PEM form"),
        ("replication/ca.pem", "tls/mx1.example.org.pem", "is no CA's certificate"),
    ],
)
def test_a_certificate_that_cannot_be_used(node: Path, name: str, content: str | None, message: str) -> None:
    path = node / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes((node / content).read_bytes() if "/" in content else content.encode())
    finding = only(settings_of(node))
    assert (finding.check, finding.grade) == (name.split("/")[0], Grade.FAIL)
    assert finding.found.startswith(f"{path}: {message}")
    assert finding.mend


def test_an_encrypted_key_is_told(node: Path) -> None:
    path = node / "tls/mx1.example.org.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        )
    )
    assert only(settings_of(node)).found == f"{path}: is encrypted with a passphrase"


def test_certificates_that_expired_or_will(node: Path) -> None:
    end = NOW + timedelta(days=provision.CERTIFICATE_DAYS)
    soon = found(settings_of(node), end - timedelta(days=10))
    assert {(each.check, each.grade) for each in soon} == {("tls", Grade.WARN), ("replication", Grade.WARN)}
    gone = found(settings_of(node), end + timedelta(days=1))
    assert [(each.check, each.grade) for each in gone] == [("tls", Grade.FAIL)] + [("replication", Grade.FAIL)] * 2
    assert f"expired on {end:%Y-%m-%d}" in gone[0].found
    early = found(settings_of(node), NOW - timedelta(days=1))
    assert all("is not valid before" in each.found and "clock" in each.mend for each in early)
    assert len(early) == 3


def test_a_tls_certificate_for_another_name_is_a_warning(node: Path) -> None:
    finding = only(settings_of(node, lambda text: text.replace('"mx1.example.org"', '"mail.example.org"')))
    assert finding.grade is Grade.WARN
    assert finding.found.endswith("is for mx1.example.org, localhost, not for mail.example.org")


def test_a_member_certificate_for_another_name(node: Path) -> None:
    finding = only(settings_of(node, lambda text: text.replace('name = "mx1"', 'name = "mx3"')))
    assert (finding.check, finding.grade) == ("replication", Grade.FAIL)
    assert finding.found.endswith("is for mx1, localhost, not for node.name mx3")


def test_a_member_certificate_of_another_ca(node: Path) -> None:
    (node / "replication/ca.pem").unlink()
    (node / "replication/ca.key").unlink()
    provision.make_ca(node / "replication")
    finding = only(settings_of(node))
    assert finding.grade is Grade.FAIL
    assert finding.found == f"{node}/replication/mx1.pem is not signed by {node}/replication/ca.pem"


def test_without_a_pair_is_a_warning(node: Path) -> None:
    finding = only(settings_of(node, lambda text: text[: text.index("[replication]")]))
    assert (finding.grade, finding.found) == (Grade.WARN, "no pair: the queue has one copy")


def test_a_data_folder_that_is_missing(node: Path) -> None:
    (node / "data").rmdir()
    finding = only(settings_of(node))
    assert (finding.grade, finding.found) == (Grade.FAIL, f"{node}/data: No such file or directory")
    assert f"{node}/data" in finding.mend


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_takes_no_writes(node: Path) -> None:
    (node / "data").chmod(0o500)
    assert only(settings_of(node)).found == f"{node}/data: Permission denied"


def test_a_data_folder_that_is_a_file(node: Path) -> None:
    (node / "data").rmdir()
    (node / "data").touch()
    assert only(settings_of(node)).found == f"{node}/data: Not a directory"


@pytest.mark.parametrize(("kind", "grade"), [("tmpfs", Grade.WARN), ("nfs4", Grade.FAIL), ("9p", Grade.FAIL)])
def test_a_data_folder_that_is_no_disk(node: Path, monkeypatch: pytest.MonkeyPatch, kind: str, grade: Grade) -> None:
    monkeypatch.setattr(checks, "filesystem_type", lambda path: kind)
    finding = only(settings_of(node))
    assert (finding.grade, f"is on {kind}" in finding.found) == (grade, True)


def test_a_disk_that_is_full_is_a_warning(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: checks.shutil._ntuple_diskusage(100, 90, 15))
    finding = only(settings_of(node))
    assert (finding.grade, finding.found) == (Grade.WARN, f"the disk of {node}/data is 85 % full: new mail gets 452")
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: checks.shutil._ntuple_diskusage(100, 90, 16))
    assert found(settings_of(node)) == []


def test_a_disk_without_room_for_a_file_wants_room_and_no_folder(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checks.tempfile, "NamedTemporaryFile", full)
    settings = settings_of(node)
    data, run = found(settings)
    assert (data.found, run.found) == (
        f"{settings.node.data_dir}: No space left on device",
        f"{settings.node.run_dir}: No space left on device",
    )
    assert data.mend == run.mend == "free space on that disk"


def test_a_limit_on_files_that_is_too_low_is_a_warning(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.open_files, "files_max", lambda: 4096)
    finding = only(settings_of(node))
    few = "a process may open only 4096 files: 3328 sessions at a time, not 12000"
    assert (finding.check, finding.grade, finding.found) == ("files", Grade.WARN, few)
    assert "allow 12768 " in finding.mend
    monkeypatch.setattr(checks.open_files, "files_max", lambda: 12_767)
    assert only(settings_of(node)).check == "files"


def test_a_run_folder_that_others_may_write(node: Path) -> None:
    (node / "run").chmod(0o777)
    finding = only(settings_of(node))
    assert (finding.grade, finding.found) == (Grade.FAIL, f"{node}/run: others can write there (mode 0777)")
    (node / "run").chmod(0o1777)  # as /tmp: nobody can replace another's socket
    assert found(settings_of(node)) == []


def test_a_run_folder_with_a_long_path(node: Path) -> None:
    finding = only(settings_of(node, lambda text: text.replace('"run"', f'"{"r" * 100}"')))
    assert finding.grade is Grade.FAIL
    assert "longer than the 107 octets" in finding.found


def test_a_policy_that_does_not_compile(node: Path) -> None:
    (node / "policy.sieve").write_text("# one\nfrob;\n")
    findings = found(settings_of(node))
    assert {(each.check, each.grade) for each in findings} == {("policy", Grade.FAIL)}
    assert f"{node}/policy.sieve:2" in findings[0].found


def test_a_policy_finds_its_maps(node: Path) -> None:
    (node / "users").write_text("a\na\n")
    (node / "policy.sieve").write_text(
        'require ["vnd.mtad.stage", "vnd.mtad.lookup"];\nstage "mail" { if lookup "map:users" "a" { stop; } }\n'
    )
    with_maps = settings_of(node, lambda text: text + '[policy.maps]\nusers = "file:users"\n')
    findings = found(with_maps)
    assert [(each.check, each.grade) for each in findings] == [("maps", Grade.FAIL), ("policy", Grade.FAIL)]
    assert f"{node}/users:2" in findings[0].found
    (node / "users").write_text("a\n")
    assert found(with_maps) == []


def test_the_built_in_policy_compiles(node: Path) -> None:
    assert found(settings_of(node, lambda text: text.replace('file = "policy.sieve"', ""))) == []


def test_every_check_runs_whatever_the_others_find(node: Path) -> None:
    (node / "keys/dkim.key").unlink()
    (node / "data").rmdir()
    (node / "policy.sieve").unlink()
    assert [each.check.split(" ")[0] for each in found(settings_of(node))] == ["dkim", "data", "policy"]


def test_a_finding_is_written_with_what_mends_it() -> None:
    assert str(Finding("tls", Grade.WARN, "found", "mend it")) == "warn tls: found\n     mend: mend it"
    assert str(Finding("tls", Grade.OK, "found")) == "ok   tls: found"


def test_the_file_system_is_the_one_of_the_longest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"24 22 0:31 / {tmp_path}/a\\040b/c rw - nfs4 server:/ rw\n"
        f"23 22 0:30 / {tmp_path}/a\\040b rw - tmpfs tmpfs rw\n"
        "nonsense\n"
    )
    assert filesystem_type(tmp_path, mounts) == "ext4"
    assert filesystem_type(tmp_path / "a b", mounts) == "tmpfs"
    assert filesystem_type(tmp_path / "a b/c/d", mounts) == "nfs4"
    assert filesystem_type(tmp_path / "a b/cd", mounts) == "tmpfs"
    assert filesystem_type(tmp_path, tmp_path / "none") == ""


def test_a_policy_that_asks_what_nobody_can_answer(node: Path) -> None:
    (node / "policy.sieve").write_text(
        'require ["vnd.mtad.stage", "vnd.mtad.mailauth"];\nstage "data" { if dmarc "fail" { stop; } }\n'
    )
    (finding,) = found(settings_of(node))
    assert (finding.check, finding.grade) == ("policy", Grade.WARN)
    assert finding.found.startswith("it asks `dmarc`, which this version cannot answer")
