"""Each process has its share of the node's limits."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from mtad.main.front import limits_of
from mtad.server.rates import Act, Rate
from tests.fakes.configuration import MINIMAL, settings_of

OURS = """\
sessions_max = 10
client_limits = ["9 sessions", "60 connections/minute", "7 errors/hour"]
"""
TEXT = MINIMAL.replace("id = 1\n", "id = 1\nworkers = 4\n") + OURS


def test_limits_are_shared_out_and_rounded_up() -> None:
    limits = limits_of(settings_of(TEXT), files_max=1000)
    assert (limits.sessions_max, limits.sessions_per_client_max) == (3, 3)
    assert limits.rates == {Act.CONNECTION: Rate(15, 60), Act.ERROR: Rate(2, 3600)}
    assert limits.exempt == (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def test_one_process_has_them_all() -> None:
    settings = settings_of(TEXT)
    limits = limits_of(replace(settings, node=replace(settings.node, workers=0)), files_max=1000)
    assert (limits.sessions_max, limits.sessions_per_client_max) == (10, 9)


def test_clients_without_a_limit_on_sessions_have_that_of_all() -> None:
    limits = limits_of(settings_of(TEXT.replace('"9 sessions", ', "")), files_max=1000)
    assert limits.sessions_per_client_max == limits.sessions_max == 3


def test_no_more_sessions_are_taken_than_there_are_files_for() -> None:
    limits = limits_of(settings_of(TEXT.replace("sessions_max = 10", "sessions_max = 4000")), files_max=1000)
    assert limits.sessions_max == (1000 - 768) // 2
