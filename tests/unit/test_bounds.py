"""What is too large, too deep or contradicts itself is refused soon, in little memory, by a ValueError."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import time
import tracemalloc
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from types import SimpleNamespace

import pytest

from airflow_provider_tencentim.client.c2c_commands import C2CCommands
from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMTransientError
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.client.history_file import read_history_file
from airflow_provider_tencentim.client.seqs import LONGEST_PIECE, parse_seq_lines, parse_seqs
from airflow_provider_tencentim.emulator import loading
from airflow_provider_tencentim.emulator.store import App
from airflow_provider_tencentim.hooks.settings import client_arguments
from airflow_provider_tencentim.retention.archive import Archive
from airflow_provider_tencentim.retention.c2c_history import read_letters
from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy
from airflow_provider_tencentim.retention.groups import GroupFacts
from airflow_provider_tencentim.retention.history import GroupHistory
from airflow_provider_tencentim.retention.holds import read_holds
from airflow_provider_tencentim.retention.plan import Plan, PlanRow, PlanWriter
from airflow_provider_tencentim.retention.policy import RetentionPolicy
from airflow_provider_tencentim.retention.policy_file import read_policy
from airflow_provider_tencentim.retention.progress import Progress
from airflow_provider_tencentim.retention.run import make_plan

MIB = 1024 * 1024
HEADER = b'{"SdkAppId":1400000000,"ChatType":"Group","MsgTime":"2026010100","MsgList":[\n'


@contextmanager
def at_most(mebibytes, seconds):
    """What happens inside takes no more memory and time than that, on a busy machine."""
    tracemalloc.start()
    begun = time.monotonic()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < mebibytes * MIB
    assert time.monotonic() - begun < seconds


class Endless(io.RawIOBase):
    """A file of one piece again and again."""

    def __init__(self, start, piece):
        self._start, self._piece = start, piece

    def readable(self):
        return True

    def read(self, size=-1):
        start, self._start = self._start, b""
        return start or self._piece[:size]


# --- the connection ---


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('{"timeout": ' + "[" * 100_000 + "}", "extra is not valid JSON"),
        ('{"timeout": 1' + "0" * 400 + "}", "timeout must be a number"),
        ('{"timeout": 1' + "0" * 5000 + "}", "extra is not valid JSON"),
        ('{"timeout": NaN}', "timeout must be from"),
        ('{"calls_per_second": 1e999}', "calls_per_second must be"),
        ('{"ca_bundle": "\\ud800"}', "ca_bundle names no readable file"),
        ('{"ca_bundle": "a\\u0000b"}', "ca_bundle names no readable file"),
    ],
)
def test_an_extra_field_that_no_number_or_path_can_be_is_named(extra, said):
    fields = SimpleNamespace(
        conn_type="tencentim", schema="", extra=extra, host="", port=None, login="1400000000", password="key"
    )
    with pytest.raises(ValueError, match=said) as caught:
        TencentIMClient(**client_arguments(fields, None))
    assert type(caught.value) is ValueError


def test_a_redis_connection_whose_extra_is_nested_too_deeply_is_malformed():
    redis = SimpleNamespace(conn_type="redis", host="h", port=1, login="", password="", schema="", extra="[" * 100_000)
    fields = SimpleNamespace(
        conn_type="tencentim", schema="", extra='{"rate_limit_store": "r"}', host="", port=None, login="1", password="k"
    )
    with pytest.raises(ValueError, match="its extra is not a JSON object"):
        client_arguments(fields, lambda _: redis)


def test_a_key_that_cannot_be_signed_with_is_refused_before_a_call_and_not_shown():
    with pytest.raises(ValueError, match=r"secret_key is not valid Unicode") as caught:
        TencentIMClient(1400000000, "secret\ud800")
    assert "secret\ud800" not in repr(caught.value)


# --- history files ---


def test_line_ends_without_end_behind_the_last_line_are_not_read_to_their_end():
    with at_most(8, 5), pytest.raises(ValueError, match="something follows the last line"):
        list(read_history_file(Endless(HEADER + b"]}\n", b"\n" * 65536)))


@pytest.mark.parametrize("piece", [b"x" * 65536, b"\x00" * 65536, b" " * 65536])
def test_a_line_without_end_is_refused(piece):
    with at_most(16, 10), pytest.raises(ValueError, match="line 2: longer than"):
        list(read_history_file(Endless(HEADER, piece)))


def test_a_packed_gigabyte_is_read_in_little_memory():
    """A line of spaces: a gigabyte in a megabyte, of which a mebibyte is unpacked."""
    packed = gzip.compress(HEADER + b" " * (64 * MIB), mtime=0)
    with at_most(16, 10), pytest.raises(ValueError, match="line 2: longer than"):
        list(read_history_file(io.BytesIO(packed)))


def test_a_load_takes_so_many_bytes_whatever_their_file_is_packed_to(monkeypatch, tmp_path):
    monkeypatch.setattr(loading, "MOST_BYTES", 3 * MIB)
    message = {"GroupId": "room", "From_Account": "a", "MsgTimestamp": 1, "MsgBody": ["x" * 500_000]}
    lines = [json.dumps({**message, "MsgSeq": seq}).encode() + b",\n" for seq in range(1, 20)]
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(HEADER + b"".join(lines) + b"]}\n"))
    app = App(1400000000, "administrator")

    with pytest.raises(ValueError, match=r"line 8: more than 3,145,728 bytes"):
        loading.load(app, (path,), now=1.0)

    assert not app.groups


@pytest.mark.parametrize("depth", [500, 900, 940])
def test_a_message_that_is_nested_too_deeply_to_be_kept_is_an_incomplete_archive(tmp_path, depth):
    body = json.loads("[" * depth + "]" * depth)
    message = {"GroupId": "room", "From_Account": "a", "MsgSeq": 1, "MsgTimestamp": 1, "MsgBody": body}
    archive = Archive(tmp_path, 1400000000)
    with suppress(OSError):
        archive.write(1, "Group", "room", 1, [message])
    archive.earlier(1, "room")


# --- MsgSeqs ---


def test_a_file_of_one_line_is_read_piece_by_piece():
    file = io.StringIO(",".join(map(str, range(1, 200_001))))
    with at_most(24, 60):
        seqs = parse_seq_lines(iter(partial(file.readline, LONGEST_PIECE), ""))
    assert list(seqs.ranges()) == [(1, 200_000)]


@pytest.mark.parametrize("piece", ["1", " ", "x", "1-"])
def test_a_part_without_end_is_refused(piece):
    pieces = itertools.repeat(piece * (LONGEST_PIECE // len(piece)))
    with at_most(24, 10), pytest.raises(ValueError, match="line 1: "):
        parse_seq_lines(pieces)


def test_the_line_of_an_error_is_counted_in_line_ends_and_not_in_pieces():
    lines = ["1," * (LONGEST_PIECE // 2), "2\n", "x\n"]
    with pytest.raises(ValueError, match="line 2: 'x'"):
        parse_seq_lines(lines)


def test_ranges_of_all_there_are_take_no_memory_however_often():
    with at_most(8, 20):
        assert len(parse_seqs(["1-4294967295, " * 100 + "1"])) == 4_294_967_295


# --- plans ---

ROW = {"group": "room", "type": "Public", "create_time": 1, "action": "recall", "through": 50, "ranges": "1-5, 9"}


@pytest.mark.parametrize(
    "change",
    [
        {"messages": 5},
        {"messages": 7},
        {"messages": 10**30},
        {"messages": 6, "ranges": "1-4294967295"},
        {"messages": 6, "through": 8},
        {"messages": 2, "ranges": "2, 1"},
        {"messages": 6, "ranges": "1-6, " * 500_000},
        {"messages": 6, "lower": 1},
        {"messages": 6, "keys": {"a": ["1_2_3"]}},
        {"messages": 6, "action": "clear"},
        {"messages": 6, "newest": 10**18},
        {"messages": 6, "create_time": 10**18},
        {"messages": 6, "group": "\ud800"},
        {"messages": 6, "group": "x" * 49},
        {"messages": 0, "ranges": None},
    ],
)
def test_a_row_that_counts_another_number_of_messages_than_it_names_is_refused(change):
    row = {name: value for name, value in (ROW | change).items() if value is not None}
    with at_most(16, 5), pytest.raises(ValueError, match=r"^(a row|the range)"):
        PlanRow.from_dict(row)


@pytest.mark.parametrize(
    "change",
    [
        {"messages": 2},
        {"action": "clear"},
        {"action": "redact_and_recall"},
        {"keys": {"a": ["x"]}},
        {"keys": {}, "messages": 0},
        {"ranges": "1"},
        {"pair": ["a", "\ud800"]},
    ],
)
def test_a_row_of_a_conversation_that_nobody_could_carry_out_is_refused(change):
    row = {"pair": ["a", "b"], "action": "recall", "keys": {"a": ["1_2_3"]}, "messages": 1}
    assert PlanRow.from_dict(row).messages == 1
    with pytest.raises(ValueError, match=r"^a row"):
        PlanRow.from_dict(row | change)


def written_plan(folder, row, **header):
    """A plan whose digests are right, whatever it says."""
    writer = PlanWriter(folder)
    writer.add(row)
    fields = {"chat": "group", "sdkappid": 1, "base_url": "u", "policy": {}, "cut_off": "c", "created": 1}
    fields |= {"run": {}, "shard": "1/1", "holds": False, "incremental": False}
    _, digest = writer.finish(**(fields | header))
    return digest


def test_a_plan_whose_header_counts_fewer_messages_than_its_rows_passes_no_guard(tmp_path):
    digest = written_plan(tmp_path, PlanRow.from_dict(ROW | {"messages": 6}))
    Plan(tmp_path, digest).verify()
    header = json.loads((tmp_path / "header.json").read_bytes()) | {"messages": 1}
    content = json.dumps(header).encode()
    (tmp_path / "header.json").write_bytes(content)

    with pytest.raises(ValueError, match="not those that its header"):
        Plan(tmp_path, hashlib.sha256(content).hexdigest()).verify()


def test_a_row_of_a_group_has_no_place_among_conversations(tmp_path):
    digest = written_plan(tmp_path, PlanRow.from_dict(ROW | {"messages": 6}), chat="c2c")

    with pytest.raises(ValueError, match="another kind of chat"):
        Plan(tmp_path, digest).verify()


def test_a_plan_that_was_made_beyond_the_calendar_is_none(tmp_path):
    digest = written_plan(tmp_path, PlanRow.from_dict(ROW | {"messages": 6}), created=10**18)

    with pytest.raises(ValueError, match="not the header of a plan"):
        Plan(tmp_path, digest)


def test_progress_of_four_billion_failed_rows_counts_as_none():
    stored = Progress("d", next=3).to_dict() | {"failed": "1-4294967295"}
    with at_most(8, 5):
        assert Progress.from_dict("d", stored).to_dict() == Progress("d").to_dict()


# --- holds, policies ---


@pytest.mark.parametrize("content", [b"*" * 1025, b"".join(b"%d*\n" % number for number in range(10_001))])
def test_globs_that_would_take_minutes_to_compare_are_refused(content):
    path = SimpleNamespace(open=lambda mode: io.BytesIO(content))
    with at_most(24, 20), pytest.raises(ValueError, match="more than 10000 globs, or one of more than 1024 bytes"):
        read_holds(path)


@pytest.mark.parametrize("name", ["p.yaml", "p.json"])
@pytest.mark.parametrize("start", ["[", '{"a":', "- ", "? ", "!a "])
def test_a_policy_that_is_nested_without_end_is_refused_soon(name, start):
    begun = time.monotonic()
    with pytest.raises(ValueError, match=name):
        read_policy((start * MIB)[:MIB], name)
    assert time.monotonic() - begun < 60


# --- answers of a history ---


class Says(GroupCommands, C2CCommands):
    """A client whose every call has one answer."""

    def __init__(self, **fields):
        self._answer = {"ErrorCode": 0, **fields}

    def call(self, command, body, *, tries=1):
        return self._answer

    def cancel(self):
        pass


@pytest.mark.parametrize("time", [10**12, 10**18, 10**400])
def test_a_time_beyond_the_calendar_is_not_taken_for_none(time):
    """It may be younger than any cut-off."""
    group = Says(RspMsgList=[{"MsgSeq": 1, "MsgTimeStamp": time}], IsFinished=1)
    pair = {"From_Account": "a", "To_Account": "b", "MsgKey": "1_2_3", "MsgTimeStamp": time}

    with pytest.raises(TencentIMTransientError, match="MsgTimeStamp"):
        GroupHistory(group, "room").page(1)
    with pytest.raises(TencentIMTransientError, match="MsgTimeStamp"):
        list(read_letters(Says(MsgList=[pair], Complete=1), ("a", "b")))


def test_a_key_that_no_call_could_name_is_an_answer_without_sense():
    letter = {"From_Account": "a", "To_Account": "b", "MsgKey": "1_2", "MsgTimeStamp": 1}

    with pytest.raises(TencentIMTransientError, match="a malformed MsgKey"):
        list(read_letters(Says(MsgList=[letter], Complete=1), ("a", "b")))


@pytest.mark.parametrize("number", [2**32 + 1, 10**18, 10**400])
def test_a_profile_of_numbers_that_no_group_has_is_incomplete(number):
    facts = GroupFacts.of({"GroupId": "room", "NextMsgSeq": number, "CreateTime": number * 100, "LastMsgTime": 1})

    assert (facts.newest, facts.created, facts.last_time) == (None, None, 1)


def planned(policy, client, folder):
    resolved = policy.resolve(datetime(2026, 6, 1), datetime(2026, 6, 1))
    return make_plan(client, resolved, folder, holds=None, run={})


@pytest.mark.parametrize("name", ["\ud800", "x" * 49, "a\nb"])
def test_an_id_that_no_call_could_name_is_an_answer_without_sense(tmp_path, name):
    groups = RetentionPolicy.parse({"older_than": "P60D", "all_groups": True, "action": "clear"})
    pairs = C2CRetentionPolicy.parse({"older_than": "P60D", "accounts": ["a"], "action": "recall"})

    with pytest.raises(TencentIMTransientError, match="no id as its GroupId"):
        planned(groups, Client(GroupIdList=[{"GroupId": name}], Next=0), tmp_path)
    with pytest.raises(TencentIMTransientError, match="no id as its To_Account"):
        planned(pairs, Client(SessionItem=[{"Type": 1, "To_Account": name}], CompleteFlag=1), tmp_path)


class Client(Says):
    sdkappid, base_url = 1, "https://localhost"
