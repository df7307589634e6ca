"""Reading page after page: each command by its own rule, to the end, and never round in a circle."""

from __future__ import annotations

import pytest
from scripted_server import ScriptedServer, UnpacedPacer, answer

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMTransientError


@pytest.fixture
def client(emulator):
    emulator.assume({"extra_calls_per_second": 10_000})
    with TencentIMClient(emulator.sdkappid, emulator.secret_key, base_url=emulator.url, pacer=UnpacedPacer()) as client:
        yield client


def history_page(*seqs, finished=1):
    entries = [{"MsgSeq": seq, "IsPlaceMsg": 0, "MsgTimeStamp": seq, "MsgBody": []} for seq in seqs]
    return answer(GroupId="room", IsFinished=finished, RspMsgList=entries)


# --- groups ---


def test_all_groups_are_read_page_by_page(emulator, client, monkeypatch):
    for number in range(25):
        emulator.add_group(f"room-{number:02}", type="Public" if number % 5 else "Private")
    command = client_commands_row(monkeypatch, "group_open_http_svc/get_appid_group_list", chunk=10)

    assert sorted(client.iter_groups()) == [f"room-{number:02}" for number in range(25)]
    assert emulator.stats()["calls"][command] == 3
    assert sorted(client.iter_groups("Private")) == [f"room-{number:02}" for number in range(0, 25, 5)]


def test_an_app_without_groups_has_none(client):
    assert list(client.iter_groups()) == []


@pytest.mark.parametrize(
    "replies",
    [
        [answer(GroupIdList=[{"GroupId": "a"}], Next=5), answer(GroupIdList=[{"GroupId": "b"}], Next=5)],
        [answer(Next=0)],
        [answer(GroupIdList="a", Next=0)],
        [answer(GroupIdList=[{"GroupId": ""}], Next=0)],
        [answer(GroupIdList=[{"GroupId": "a"}], Next="1")],
    ],
    ids=["leads back", "no list", "no list of objects", "no id", "no number"],
)
def test_pages_of_groups_that_make_no_sense_are_an_error_and_no_end(replies):
    with ScriptedServer(*replies) as server, pytest.raises(TencentIMTransientError):
        list(server.client(pacer=UnpacedPacer()).iter_groups())


def test_the_groups_of_an_account_are_read_by_their_offset(emulator, client, monkeypatch):
    emulator.add_accounts("ann")
    for number in range(7):
        client.call(
            "group_open_http_svc/create_group",
            {"Type": "Public", "Name": "x", "GroupId": f"room-{number}", "Owner_Account": "ann"},
        )
    command = client_commands_row(monkeypatch, "group_open_http_svc/get_joined_group_list", chunk=3)

    assert sorted(client.iter_joined_groups("ann")) == [f"room-{number}" for number in range(7)]
    assert emulator.stats()["calls"][command] == 3


def test_a_page_of_joined_groups_that_is_empty_ends_them_whatever_the_total_says():
    full, empty = answer(TotalCount=9, GroupIdList=[{"GroupId": "a"}]), answer(TotalCount=9, GroupIdList=[])
    with ScriptedServer(full, empty) as server:
        assert list(server.client().iter_joined_groups("ann")) == ["a"]


# --- the history of a group ---


def test_a_history_is_read_to_its_beginning_with_all_that_is_in_it(emulator, client):
    emulator.add_group("room", messages=95)
    list(client.group_msg_recall("room", ["10-70"]))

    seqs = [message["MsgSeq"] for message in client.iter_group_history("room")]

    assert seqs == list(range(95, 0, -1))
    assert [message["MsgSeq"] for message in client.iter_group_history("room", 30)] == list(range(30, 0, -1))


def test_a_history_is_read_past_pages_that_gaps_leave_empty():
    replies = [history_page(100, 99, finished=1), *[history_page()] * 3, history_page(5, 4, 1)]
    with ScriptedServer(*replies) as server:
        seqs = [message["MsgSeq"] for message in server.client().iter_group_history("room", 100)]

    assert seqs == [100, 99, 5, 4, 1]
    assert [request.json()["ReqMsgSeq"] for request in server.requests] == [100, 98, 78, 58, 38]


def test_a_history_whose_pages_stay_empty_is_given_up():
    with ScriptedServer(history_page(5000), history_page()) as server:
        assert len(list(server.client().iter_group_history("room", 5000, empty_pages=3))) == 1

    assert len(server.requests) == 1 + 4


@pytest.mark.parametrize("finished", [0, 1, 2])
def test_a_short_page_is_no_end_whatever_is_finished_says(finished):
    with ScriptedServer(history_page(9, 8, finished=finished), history_page(7, 1, finished=finished)) as server:
        assert [message["MsgSeq"] for message in server.client().iter_group_history("room", 9)] == [9, 8, 7, 1]


def test_a_group_without_a_message_has_no_history(emulator, client):
    emulator.add_group("room", messages=0)
    assert list(client.iter_group_history("room")) == []


@pytest.mark.parametrize("seqs", [(3, 4), (5, 5), (9,)], ids=["rising", "twice", "newer than asked for"])
def test_a_page_that_does_not_run_downwards_is_an_error_and_is_not_followed(seqs):
    with ScriptedServer(history_page(*seqs)) as server, pytest.raises(TencentIMTransientError, match="downwards"):
        list(server.client().iter_group_history("room", 8))

    assert len(server.requests) == 1


# --- one-to-one ---


def test_a_conversation_is_read_newest_first_to_its_beginning(emulator, client):
    emulator.add_accounts("ann", "bob")
    keys = [emulator.add_c2c_message("ann", "bob", f"{number} {'x' * 700}") for number in range(60)]

    read = [message["MsgKey"] for message in client.iter_c2c_history("ann", "bob")]

    assert read == keys[::-1]
    assert emulator.stats()["calls"]["openim/admin_getroammsg"] > 2


def test_a_message_that_stands_on_two_pages_is_read_once():
    def page(complete, *keys):
        entries = [{"MsgKey": key} for key in keys]
        return answer(Complete=complete, MsgCnt=len(keys), LastMsgTime=5, LastMsgKey=keys[0], MsgList=entries)

    with ScriptedServer(page(0, "2_2_5", "3_3_6"), page(1, "1_1_5", "2_2_5")) as server:
        read = [message["MsgKey"] for message in server.client().iter_c2c_history("ann", "bob")]

    assert read == ["3_3_6", "2_2_5", "1_1_5"]
    assert (server.requests[1].json()["MaxTime"], server.requests[1].json()["LastMsgKey"]) == (5, "2_2_5")


def test_a_conversation_whose_pages_lead_back_is_an_error():
    page = answer(Complete=0, MsgCnt=1, LastMsgTime=5, LastMsgKey="1_1_5", MsgList=[{"MsgKey": "1_1_5"}])
    with ScriptedServer(page) as server, pytest.raises(TencentIMTransientError, match="lead back"):
        list(server.client().iter_c2c_history("ann", "bob"))

    assert len(server.requests) == 2


def test_the_conversations_of_an_account_are_read_to_the_end(emulator, client):
    emulator.assume({"recent_page": 3})
    peers = [f"peer{number}" for number in range(8)]
    emulator.add_accounts("ann", *peers)
    for peer in peers:
        emulator.add_c2c_message("ann", peer, "hello")

    read = [entry["To_Account"] for entry in client.iter_conversations("ann")]

    assert sorted(read) == peers
    assert emulator.stats()["calls"]["recentcontact/get_list"] == 3


def test_conversations_whose_pages_lead_back_are_an_error():
    page = answer(SessionItem=[], CompleteFlag=0, TimeStamp=1, StartIndex=1, TopTimeStamp=0, TopStartIndex=0)
    with ScriptedServer(page) as server, pytest.raises(TencentIMTransientError, match="lead back"):
        list(server.client().iter_conversations("ann"))

    assert len(server.requests) == 2


def client_commands_row(monkeypatch, command, **changes):
    """Make pages small, so that a few entries are many pages."""
    from dataclasses import replace

    from airflow_provider_tencentim.client.commands import COMMANDS

    monkeypatch.setitem(COMMANDS, command, replace(COMMANDS[command], **changes))
    return command
