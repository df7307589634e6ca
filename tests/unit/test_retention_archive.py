"""The archive: complete before anything goes, never overwritten, and readable by what reads the hourly files."""

from __future__ import annotations

import gzip
import hashlib
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.client.history_file import read_history_file
from airflow_provider_tencentim.emulator import TencentIMEmulator
from airflow_provider_tencentim.retention.archive import Archive, group_message
from airflow_provider_tencentim.retention.history import Entry

APP = 1400000000
NEWEST = 1_710_471_600  # eight hours to the east: 2024-03-15, 11 o'clock


def text(words):
    return [{"MsgType": "TIMTextElem", "MsgContent": {"Text": words}}]


def entry(seq=1, words="hello", **fields):
    return Entry(**{"seq": seq, "time": NEWEST + seq, "sender": "ann", "body": text(words)} | fields)


def laid_out(*entries, group="room"):
    return [group_message(group, one) for one in entries]


def write(folder, *entries, number=1, newest=NEWEST):
    return Archive(folder, APP).write(number, "Group", "room", newest, laid_out(*entries))


def loaded(*files, **options):
    """What the emulator has of a group after loading the files."""
    emulator = TencentIMEmulator(sdkappid=APP)
    emulator.load(*files, **options)
    return emulator.state()


# --- the layout ---


def test_a_file_is_laid_out_as_the_service_lays_out_its_hourly_files(tmp_path):
    file = write(tmp_path, entry(7, custom="猫", random=9), entry(3, sender="bob"))

    lines = gzip.decompress((tmp_path / file.file).read_bytes()).split(b"\n")
    assert json.loads(lines[0] + b"]}") == {
        "SdkAppId": APP,
        "ChatType": "Group",
        "MsgTime": "2024031511",
        "MsgList": [],
    }
    assert [line[-1:] for line in lines[1:3]] == [b",", b","]
    assert lines[3:] == [b"]}", b""]
    messages = [json.loads(line[:-1]) for line in lines[1:3]]
    assert messages == [
        {
            "From_Account": "ann",
            "GroupId": "room",
            "MsgBody": text("hello"),
            "MsgSeq": 7,
            "MsgTimestamp": NEWEST + 7,
            "MsgRandom": 9,
            "CloudCustomData": "猫",
        },
        {
            "From_Account": "bob",
            "GroupId": "room",
            "MsgBody": text("hello"),
            "MsgSeq": 3,
            "MsgTimestamp": NEWEST + 3,
        },
    ]


def test_the_manifest_says_what_is_in_a_file(tmp_path):
    file = write(tmp_path, *(entry(seq) for seq in (1, 2, 3, 7, 9, 10)), number=42)

    content = (tmp_path / "00000042.gz").read_bytes()
    assert file.to_dict() == {
        "file": "00000042.gz",
        "chat": "room",
        "messages": 6,
        "seqs": "1-3, 7, 9-10",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }


def test_the_same_messages_make_the_same_bytes(tmp_path):
    for folder in ("one", "other"):
        write(tmp_path / folder, *map(entry, range(1, 50)))

    contents = {path.read_bytes() for path in tmp_path.rglob("*.gz")}
    assert len(contents) == 1
    assert contents.pop()[3:8] == bytes(5)  # neither a name nor a time


def test_an_archive_makes_the_folders_above_it(tmp_path):
    folder = tmp_path / "archives" / "of today"
    write(folder, entry(1))

    assert [path.name for path in folder.iterdir()] == ["00000001.gz"]


@pytest.mark.parametrize("seq", [0, -1, True, "7", None])
def test_what_is_no_msg_seq_is_kept_and_named_in_no_range(tmp_path, seq):
    file = Archive(tmp_path, APP).write(
        1, "Group", "room", None, [*laid_out(entry(5)), {"GroupId": "a", "MsgSeq": seq}]
    )

    assert (file.messages, file.seqs) == (2, "5")


def test_an_id_never_names_a_file(tmp_path):
    archive = Archive(tmp_path / "archive", APP)
    for number, chat in enumerate(("../../up", "/etc/passwd", "a/b", "..")):
        archive.write(number, "Group", chat, None, laid_out(entry(), group=chat))

    names = sorted(path.name for path in tmp_path.rglob("*"))
    assert names == ["00000000.gz", "00000001.gz", "00000002.gz", "00000003.gz", "archive"]


# --- what comes back ---

STRANGE = {
    "plain": "hello",
    "Chinese": "项目讨论组",
    "emoji": "👪🏽‍🚀 flag 🇨🇳",
    "control": "".join(map(chr, range(32))) + "\x7f\x85",
    "line ends": "a\nb\r\nc\u2028d\u2029e\x0bf\x0cg",
    "like the format": ']}\n{"MsgList":[\n,',
    "quotes": '"\\/\\"\\u0000',
    "12 KB": "字" * 4000,
    "blank": " ",
    "right to left": "\u202eفريق",
}


@pytest.mark.parametrize("name", STRANGE)
def test_text_of_any_kind_comes_back_in_the_emulator(tmp_path, name):
    words = STRANGE[name]
    file = write(tmp_path, entry(5, words, custom=words, sender="bob"))

    state = loaded(tmp_path / file.file)

    (message,) = state["groups"]["room"]["messages"]
    assert message["MsgBody"] == text(words)
    assert message["CloudCustomData"] == words
    assert (message["MsgSeq"], message["From_Account"], message["MsgTimeStamp"]) == (5, "bob", NEWEST + 5)


def test_half_a_surrogate_pair_is_archived_as_it_is(tmp_path):
    """What an app cut within an emoji: the service hands it out, so it has to be kept before it goes."""
    file = write(tmp_path, entry(1, "cut \ud83d", custom="\udc00"), entry(2))

    kept = [message for _, message in read_history_file(tmp_path / file.file)]
    assert kept == laid_out(entry(1, "cut \ud83d", custom="\udc00"), entry(2))


def test_tips_come_back_as_tips(tmp_path):
    tip = {"OpType": 2, "MemberCount": 3, "猫": ["👪", None, True, 1.5]}
    file = write(
        tmp_path,
        entry(1, body=tip, sender="@TIM#SYSTEM", system=True),
        entry(2, body={"OpType": 1}, sender="", system=True),  # the history shows no sender
        entry(3),
    )

    messages = loaded(tmp_path / file.file)["groups"]["room"]["messages"]

    assert [(one["MsgSeq"], one["system"], one["MsgBody"]) for one in messages] == [
        (1, True, tip),
        (2, True, {"OpType": 1}),
        (3, False, text("hello")),
    ]
    assert [one["From_Account"] for one in messages] == ["@TIM#SYSTEM", "@TIM#SYSTEM", "ann"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
entries = st.builds(
    lambda time, sender, body, custom, random: {
        "time": time,
        "sender": sender,
        "body": body,
        "custom": custom,
        "random": random,
    },
    st.integers(0, 2**32 - 1),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=9),
    st.lists(st.fixed_dictionaries({"MsgType": st.just("TIMCustomElem"), "MsgContent": json_values}), max_size=3)
    | st.dictionaries(st.text(max_size=4), json_values, max_size=3),
    st.none() | st.text(max_size=9),
    st.none() | st.integers(0, 2**32 - 1),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(given=st.dictionaries(st.integers(1, 2**32 - 1), entries, min_size=1, max_size=6))
def test_messages_of_any_content_come_back_in_the_emulator(tmp_path_factory, given):
    folder = tmp_path_factory.mktemp("archive")
    file = write(folder, *(Entry(seq=seq, **fields) for seq, fields in given.items()))

    messages = loaded(folder / file.file)["groups"]["room"]["messages"]

    assert {one["MsgSeq"] for one in messages} == set(given)
    for one in messages:
        meant = given[one["MsgSeq"]]
        assert one["MsgBody"] == meant["body"]
        assert one["CloudCustomData"] == meant["custom"]
        assert (one["From_Account"], one["MsgTimeStamp"]) == (meant["sender"], meant["time"])


def test_letters_come_back_under_their_keys(tmp_path):
    letters = [
        {"From_Account": "a", "To_Account": "b", "MsgBody": text("x"), "MsgSeq": 5, "MsgRandom": 6, "MsgTimestamp": 7},
        {"From_Account": "b", "To_Account": "a", "MsgBody": text("y"), "MsgSeq": 5, "MsgRandom": 6, "MsgTimestamp": 7},
    ]
    file = Archive(tmp_path, APP).write(1, "C2C", "a / b", 7, letters)

    (conversation,) = loaded(tmp_path / file.file)["c2c"]
    assert [(one["MsgKey"], one["From_Account"]) for one in conversation["messages"]] == [
        ("5_6_7", "a"),
        ("5_6_7", "b"),
    ]
    assert (file.messages, file.seqs) == (2, "")


# --- nothing is lost ---


def test_a_second_try_never_overwrites_the_first_file(tmp_path):
    files = [write(tmp_path, entry(seq)).file for seq in (1, 2, 3)]

    assert files == ["00000001.gz", "00000001-2.gz", "00000001-3.gz"]
    seqs = [[message["MsgSeq"] for _, message in read_history_file(tmp_path / name)] for name in files]
    assert seqs == [[1], [2], [3]]


def test_the_files_of_earlier_tries_are_known(tmp_path):
    archive = Archive(tmp_path, APP)
    written = [write(tmp_path, entry(seq), number=7) for seq in (1, 2)]
    write(tmp_path, entry(9), number=8)

    assert archive.earlier(7, "room") == written
    assert archive.earlier(6, "room") == []


def break_off(folder):
    """A try that was interrupted while it wrote."""

    def messages():
        yield from laid_out(*map(entry, range(1, 500)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Archive(folder, APP).write(1, "Group", "room", NEWEST, messages())


def test_what_was_written_by_half_stays_and_does_not_count(tmp_path):
    break_off(tmp_path)
    half = (tmp_path / "00000001.gz").read_bytes()
    file = write(tmp_path, entry(1))

    assert file.file == "00000001-2.gz"
    assert Archive(tmp_path, APP).earlier(1, "room") == [file]
    assert (tmp_path / "00000001.gz").read_bytes() == half


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_does_not_count(tmp_path, share):
    whole = write(tmp_path, *map(entry, range(1, 100)))
    path = tmp_path / whole.file
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    assert Archive(tmp_path, APP).earlier(1, "room") == []


class Store:
    """A path on a store that does something to what it is given.

    :param harm: returns what is stored instead.
    """

    def __init__(self, path: Path, harm):
        self.path = path
        self.harm = harm

    @property
    def name(self):
        return self.path.name

    def __truediv__(self, name):
        return Store(self.path / name, self.harm)

    def mkdir(self, mode=0o777, parents=False, exist_ok=False):
        self.path.mkdir(mode, parents, exist_ok)

    def exists(self):
        return self.path.exists()

    def open(self, mode):
        if mode == "wb":
            return Upload(self)
        return self.path.open(mode)


class Upload:
    def __init__(self, store):
        self.store = store
        self.content = b""

    def write(self, content):
        self.content += content
        return len(content)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        harmed = self.store.harm(self.content)
        if harmed is not None:
            self.store.path.write_bytes(harmed)


def flip(position):
    def harm(content):
        at = int(len(content) * position)
        return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]

    return harm


def other_messages(content):
    """A file that is right in itself, and holds something else."""
    return gzip.compress(gzip.decompress(content).replace(b"hello", b"hullo"))


HARM = {
    "nothing": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "the last byte": lambda content: content[:-1],
    "the checksum": lambda content: content[:-8],
    "a byte at the start": flip(0.0),
    "a byte of the header": flip(0.02),
    "a byte of the content": flip(0.5),
    "a byte of the checksum": flip(0.99),
    "something behind": lambda content: content + b"x",
    "zeros behind": lambda content: content + bytes(8),
    "twice": lambda content: content * 2,
    "other messages": other_messages,
    "unpacked": gzip.decompress,
    "packed otherwise": lambda content: gzip.compress(gzip.decompress(content), 1, mtime=5),
    "not there": lambda content: None,
}


@pytest.mark.parametrize("name", HARM)
def test_a_store_that_does_not_keep_what_it_is_given_is_noticed(tmp_path, name):
    archive = Archive(Store(tmp_path, HARM[name]), APP)

    with pytest.raises(OSError, match=r"00000001\.gz"):
        archive.write(1, "Group", "room", NEWEST, laid_out(*map(entry, range(1, 30))))


def test_a_store_that_keeps_it_is_not_blamed(tmp_path):
    archive = Archive(Store(tmp_path, lambda content: content), APP)

    assert archive.write(1, "Group", "room", NEWEST, laid_out(entry(5))).seqs == "5"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 0.9999), st.integers(1, 255))
def test_any_byte_that_changes_is_noticed(tmp_path_factory, position, change):
    def harm(content):
        at = int(len(content) * position)
        return content[:at] + bytes([content[at] ^ change]) + content[at + 1 :]

    archive = Archive(Store(tmp_path_factory.mktemp("store"), harm), APP)

    with pytest.raises(OSError, match=r"00000001\.gz"):
        archive.write(1, "Group", "room", NEWEST, laid_out(*map(entry, range(1, 30))))


@pytest.mark.parametrize("body", [[{"MsgContent": float("nan")}], [{"MsgContent": float("inf")}]])
def test_what_no_file_can_hold_is_an_error_of_this_file(tmp_path, body):
    with pytest.raises(OSError, match=r"00000001\.gz"):
        write(tmp_path, entry(1, body=body))
    assert Archive(tmp_path, APP).earlier(1, "room") == []


def test_there_can_be_no_archive_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match="file"):
        Archive(tmp_path / "file" / "archive", APP)


def test_what_the_messages_raise_comes_out_as_it_is(tmp_path):
    def messages():
        yield from laid_out(entry(1))
        raise RuntimeError("the history broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        Archive(tmp_path, APP).write(1, "Group", "room", NEWEST, messages())
    with suppress(FileNotFoundError):
        assert Archive(tmp_path, APP).earlier(1, "room") == []
