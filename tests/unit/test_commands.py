"""The command table: what is known of a command, and which calls may be sent twice."""

from __future__ import annotations

import pytest

from airflow_provider_tencentim.client.commands import COMMANDS, Command, find_command, is_repeatable

RECALL = "group_open_http_svc/group_msg_recall"


def test_a_command_of_the_table_is_its_row():
    assert all(find_command(path) is row for path, row in COMMANDS.items())
    assert find_command(RECALL).chunk == 10


def test_a_command_that_is_in_no_table_writes_and_is_not_repeatable():
    assert find_command("openim/new") == Command("openim/new", writes=True, repeatable=False)
    assert not is_repeatable(find_command("openim/new"), {"MsgSeq": 1, "MsgRandom": 7, "Random": 7})


@pytest.mark.parametrize(
    ("command", "body", "repeatable"),
    [
        (RECALL, {}, True),
        ("openim/admin_getroammsg", {}, True),
        ("group_open_http_svc/destroy_group", {"GroupId": "room"}, False),
        ("group_open_http_svc/clear_group_msg", {"GroupId": "room"}, False),
        ("group_open_http_svc/clear_group_msg", {"GroupId": "room", "MsgSeq": 1}, True),
        ("openim/sendmsg", {"MsgSeq": 1}, False),
        ("openim/sendmsg", {"MsgRandom": 0}, True),
        ("openim/sendmsg", {"msgrandom": 7}, False),
    ],
)
def test_a_call_is_repeatable_when_its_command_or_one_of_its_fields_makes_it(command, body, repeatable):
    assert is_repeatable(COMMANDS[command], body) is repeatable


def test_what_reads_may_always_be_asked_again():
    assert all(row.repeatable for row in COMMANDS.values() if not row.writes)
