"""Page after page, request by request: what is asked for, and what an answer must hold for the next one."""

from __future__ import annotations

import time

import pytest
from scripted_server import ScriptedServer, UnpacedPacer, answer

from airflow_provider_tencentim.client.errors import TencentIMTransientError


def history_page(*seqs):
    return answer(RspMsgList=[{"MsgSeq": seq} for seq in seqs])


# --- what is asked for ---

GROUPS = "group_open_http_svc/get_appid_group_list"
JOINED = "group_open_http_svc/get_joined_group_list"
INFO = "group_open_http_svc/get_group_info"
HISTORY = "group_open_http_svc/group_msg_get_simple"
LETTERS = "openim/admin_getroammsg"
CONVERSATIONS = "recentcontact/get_list"

NO_GROUPS = answer(GroupIdList=[], Next=0, TotalCount=0)
PLACE = {"TimeStamp": 0, "StartIndex": 0, "TopTimeStamp": 0, "TopStartIndex": 0}
TOPIC = {"GroupId": "@TGS#_1", "TopicId": "@TGS#_1@TOPIC#_1"}

FIRST_PAGES = {
    "groups": (lambda client: client.iter_groups(), NO_GROUPS, GROUPS, {"Limit": 10_000, "Next": 0}),
    "groups of a type": (
        lambda client: client.iter_groups("Public"),
        NO_GROUPS,
        GROUPS,
        {"Limit": 10_000, "Next": 0, "GroupType": "Public"},
    ),
    "joined groups": (
        lambda client: client.iter_joined_groups("ann"),
        NO_GROUPS,
        JOINED,
        {"Member_Account": "ann", "WithHugeGroups": 1, "WithNoActiveGroups": 1, "Limit": 5000, "Offset": 0},
    ),
    "joined groups of a type": (
        lambda client: client.iter_joined_groups("ann", "Public", with_huge_groups=False),
        NO_GROUPS,
        JOINED,
        {"Member_Account": "ann", "WithHugeGroups": 0, "WithNoActiveGroups": 1, "Limit": 5000, "Offset": 0}
        | {"GroupType": "Public"},
    ),
    "infos": (
        lambda client: client.get_group_info(["a", "b"]),
        answer(GroupInfo=[{"GroupId": name, "ErrorCode": 0} for name in "ab"]),
        INFO,
        {
            "GroupIdList": ["a", "b"],
            "ResponseFilter": {
                "GroupBaseInfoFilter": ["Type", "Name", "CreateTime", "LastMsgTime", "NextMsgSeq", "MemberNum"]
            },
        },
    ),
    "infos of some fields": (
        lambda client: client.get_group_info(["a"], ("Type",)),
        answer(GroupInfo=[{"GroupId": "a", "ErrorCode": 10010}]),
        INFO,
        {"GroupIdList": ["a"], "ResponseFilter": {"GroupBaseInfoFilter": ["Type"]}},
    ),
    "a history": (
        lambda client: client.iter_group_history("room"),
        history_page(1),
        HISTORY,
        {"GroupId": "room", "ReqMsgNumber": 20, "WithRecalledMsg": 1},
    ),
    "the history of a topic": (
        lambda client: client.iter_group_history("@TGS#_1", 4, "@TGS#_1@TOPIC#_1"),
        history_page(4, 1),
        HISTORY,
        {**TOPIC, "ReqMsgSeq": 4, "ReqMsgNumber": 20, "WithRecalledMsg": 1},
    ),
    "a preview": (
        lambda client: client.preview_group_msg_recall("@TGS#_1", "13-15", "@TGS#_1@TOPIC#_1"),
        history_page(15, 14, 13),
        HISTORY,
        {**TOPIC, "ReqMsgSeq": 15, "ReqMsgNumber": 3, "WithRecalledMsg": 1},
    ),
    "letters": (
        lambda client: client.iter_c2c_history("ann", "bob", 5, 9),
        answer(MsgList=[], Complete=1),
        LETTERS,
        {"Operator_Account": "ann", "Peer_Account": "bob", "MaxCnt": 100, "MinTime": 5, "MaxTime": 9},
    ),
    "conversations": (
        lambda client: client.iter_conversations("ann"),
        answer(SessionItem=[], CompleteFlag=1),
        CONVERSATIONS,
        {"From_Account": "ann", "AssistFlags": 7, **PLACE},
    ),
}


@pytest.mark.parametrize("name", FIRST_PAGES)
def test_the_first_page_is_asked_for_as_the_documents_have_it(name):
    ask, reply, command, body = FIRST_PAGES[name]
    with ScriptedServer(reply) as server:
        list(ask(server.client()))

    assert [(request.command, request.json()) for request in server.requests] == [(command, body)]


def test_letters_are_read_from_the_beginning_to_a_little_later_than_now():
    with ScriptedServer(answer(MsgList=[], Complete=1)) as server:
        before = int(time.time())
        list(server.client().iter_c2c_history("ann", "bob"))

    body = server.requests[0].json()
    assert body["MinTime"] == 0
    assert before + 300 <= body["MaxTime"] <= int(time.time()) + 300


def test_a_page_of_conversations_begins_where_the_one_before_says():
    second = {"TimeStamp": 4, "StartIndex": 3, "TopTimeStamp": 2, "TopStartIndex": 1}
    replies = [
        answer(SessionItem=[{"To_Account": "bob"}], CompleteFlag=0, **second),
        answer(SessionItem=[{"To_Account": "cid"}], CompleteFlag=1),
    ]
    with ScriptedServer(*replies) as server:
        found = [entry["To_Account"] for entry in server.client().iter_conversations("ann")]

    assert found == ["bob", "cid"]
    assert server.requests[1].json() == {"From_Account": "ann", "AssistFlags": 7, **second}


def test_a_page_of_groups_begins_where_the_one_before_says_and_keeps_the_type():
    replies = [answer(GroupIdList=[{"GroupId": "a"}], Next=7), answer(GroupIdList=[{"GroupId": "b"}])]
    with ScriptedServer(*replies) as server:
        assert list(server.client(pacer=UnpacedPacer()).iter_groups("Public")) == ["a", "b"]

    assert [request.json() for request in server.requests] == [
        {"Limit": 10_000, "Next": following, "GroupType": "Public"} for following in (0, 7)
    ]


def test_joined_groups_end_where_the_total_is_reached():
    replies = [
        answer(TotalCount=3, GroupIdList=[{"GroupId": "a"}, {"GroupId": "b"}]),
        answer(TotalCount=3, GroupIdList=[{"GroupId": "c"}]),
    ]
    with ScriptedServer(*replies) as server:
        assert list(server.client().iter_joined_groups("ann")) == ["a", "b", "c"]

    assert [request.json()["Offset"] for request in server.requests] == [0, 2]


def test_infos_come_in_the_order_of_the_question_whatever_else_the_answer_holds():
    said = [{"GroupId": name, "ErrorCode": 0} for name in ("z", "b", "a")]
    with ScriptedServer(answer(GroupInfo=said)) as server:
        assert [info["GroupId"] for info in server.client().get_group_info(["a", "b"])] == ["a", "b"]


def test_a_history_is_not_asked_for_below_its_first_message():
    with ScriptedServer(history_page(2, 1)) as server:
        assert len(list(server.client().iter_group_history("room", 20))) == 2
        assert list(server.client().iter_group_history("room", 0)) == []

    assert len(server.requests) == 1


def test_empty_pages_are_counted_anew_after_one_that_is_not():
    replies = [history_page(), history_page(), history_page(700), history_page(), history_page(), history_page(650)]
    with ScriptedServer(*replies, history_page()) as server:
        read = [message["MsgSeq"] for message in server.client().iter_group_history("room", 800, empty_pages=2)]

    assert read == [700, 650]
    assert [request.json()["ReqMsgSeq"] for request in server.requests] == [
        *(800, 780, 760, 699, 679, 659, 649, 629, 609),
    ]


def test_a_history_that_ends_in_a_gap_ends_at_the_first_seq():
    with ScriptedServer(history_page(60), history_page()) as server:
        assert len(list(server.client().iter_group_history("room", 60))) == 1

    assert [request.json()["ReqMsgSeq"] for request in server.requests] == [60, 59, 39, 19]


@pytest.mark.parametrize("newest", [None, 4_294_967_295])
def test_the_newest_seq_there_can_be_is_read(newest):
    with ScriptedServer(history_page(4_294_967_295, 1)) as server:
        assert len(list(server.client().iter_group_history("room", newest))) == 2


def test_a_seq_that_there_cannot_be_is_no_page_that_runs_downwards():
    with ScriptedServer(history_page(4_294_967_296)) as server, pytest.raises(TencentIMTransientError) as caught:
        list(server.client().iter_group_history("room"))

    assert (caught.value.command, caught.value.info) == (HISTORY, "a page of the history does not run downwards")


# --- answers that lack what leads on ---

LETTER = {"MsgKey": "1_2_3"}
NO_OBJECTS, NO_NUMBER, NO_TEXT = (
    f"the answer has no {kind} as its" for kind in ("list of objects", "whole number", "text")
)
LEADS_BACK = "its pages lead back to one that was read already"
LEAVES_OUT = "the answer leaves out a group that was asked for"

ASK = {
    GROUPS: lambda client: client.iter_groups(),
    JOINED: lambda client: client.iter_joined_groups("ann"),
    INFO: lambda client: client.get_group_info(["a"]),
    HISTORY: lambda client: client.iter_group_history("room"),
    LETTERS: lambda client: client.iter_c2c_history("ann", "bob"),
    CONVERSATIONS: lambda client: client.iter_conversations("ann"),
}
LACKING = [
    (GROUPS, {"Next": 0}, f"{NO_OBJECTS} GroupIdList"),
    (GROUPS, {"GroupIdList": [{}], "Next": 0}, f"{NO_TEXT} GroupId"),
    (GROUPS, {"GroupIdList": [], "Next": "0"}, f"{NO_NUMBER} Next"),
    (GROUPS, {"GroupIdList": [{"GroupId": "a"}], "Next": 5}, LEADS_BACK),
    (JOINED, {"TotalCount": 0}, f"{NO_OBJECTS} GroupIdList"),
    (JOINED, {"GroupIdList": [{}], "TotalCount": 1}, f"{NO_TEXT} GroupId"),
    (JOINED, {"GroupIdList": [{"GroupId": "a"}]}, f"{NO_NUMBER} TotalCount"),
    (INFO, {}, f"{NO_OBJECTS} GroupInfo"),
    (INFO, {"GroupInfo": []}, LEAVES_OUT),
    (INFO, {"GroupInfo": [{"GroupId": "b", "ErrorCode": 0}]}, LEAVES_OUT),
    (INFO, {"GroupInfo": [{"GroupId": "a"}]}, LEAVES_OUT),
    (INFO, {"GroupInfo": [{"GroupId": "a", "ErrorCode": "0"}]}, LEAVES_OUT),
    (HISTORY, {}, f"{NO_OBJECTS} RspMsgList"),
    (HISTORY, {"RspMsgList": [{}]}, f"{NO_NUMBER} MsgSeq"),
    (LETTERS, {"Complete": 1}, f"{NO_OBJECTS} MsgList"),
    (LETTERS, {"Complete": 1, "MsgList": [{}]}, f"{NO_TEXT} MsgKey"),
    (LETTERS, {"MsgList": [LETTER]}, f"{NO_NUMBER} Complete"),
    (LETTERS, {"MsgList": [LETTER], "Complete": 0, "LastMsgKey": "1_2_3"}, f"{NO_NUMBER} LastMsgTime"),
    (LETTERS, {"MsgList": [LETTER], "Complete": 2, "LastMsgTime": 5}, f"{NO_TEXT} LastMsgKey"),
    (LETTERS, {"MsgList": [LETTER], "Complete": 0, "LastMsgTime": 5, "LastMsgKey": "1_2_3"}, LEADS_BACK),
    (CONVERSATIONS, {"CompleteFlag": 1}, f"{NO_OBJECTS} SessionItem"),
    (CONVERSATIONS, {"SessionItem": []}, f"{NO_NUMBER} CompleteFlag"),
    (CONVERSATIONS, {"SessionItem": [{}], "CompleteFlag": 2, **PLACE}, LEADS_BACK),
    *(
        (CONVERSATIONS, {"SessionItem": [], "CompleteFlag": 0, **PLACE, name: "0"}, f"{NO_NUMBER} {name}")
        for name in PLACE
    ),
]


@pytest.mark.parametrize(("command", "fields", "said"), LACKING)
def test_an_answer_that_lacks_what_leads_on_is_an_error_and_no_end(command, fields, said):
    with ScriptedServer(answer(**fields)) as server, pytest.raises(TencentIMTransientError) as caught:
        list(ASK[command](server.client(pacer=UnpacedPacer())))

    assert (caught.value.command, caught.value.code, caught.value.info) == (command, None, said)


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (GROUPS, lambda n: {"GroupIdList": [], "Next": n}),
        (LETTERS, lambda n: {"MsgList": [LETTER], "Complete": 0, "LastMsgTime": n, "LastMsgKey": "1_2_3"}),
        (CONVERSATIONS, lambda n: {"SessionItem": [], "CompleteFlag": 0, **PLACE, "TimeStamp": n}),
    ],
)
def test_pages_that_lead_on_to_nothing_new_are_followed_a_hundred_times(command, fields):
    numbers = iter(range(1, 1000))
    with ScriptedServer(lambda _: answer(**fields(next(numbers)))) as server, pytest.raises(TencentIMTransientError):
        list(ASK[command](server.client(pacer=UnpacedPacer())))

    assert len(server.requests) in (100, 101)


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (GROUPS, lambda n: {"GroupIdList": [{"GroupId": f"g{n}"}], "Next": n % 150}),
        (
            LETTERS,
            lambda n: (
                {"MsgList": [{"MsgKey": f"{n}_2_3"}], "Complete": int(n == 150), "LastMsgTime": n} | {"LastMsgKey": "x"}
            ),
        ),
        (CONVERSATIONS, lambda n: {"SessionItem": [{}], "CompleteFlag": int(n == 150), **PLACE, "TimeStamp": n}),
    ],
)
def test_pages_that_bring_something_are_followed_to_the_end_however_many(command, fields):
    numbers = iter(range(1, 1000))
    with ScriptedServer(lambda _: answer(**fields(next(numbers)))) as server:
        assert len(list(ASK[command](server.client(pacer=UnpacedPacer())))) == 150

    assert len(server.requests) == 150


def test_a_history_is_given_up_behind_fifty_empty_pages():
    with ScriptedServer(history_page(5000), history_page()) as server:
        list(server.client(pacer=UnpacedPacer()).iter_group_history("room", 5000))

    assert len(server.requests) == 1 + 51
