"""The plan: written in bounded memory, read only as it was written, and leading nowhere else."""

from __future__ import annotations

import hashlib
import json
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.client.seqs import LAST_SEQ
from airflow_provider_tencentim.retention import plan as plan_module
from airflow_provider_tencentim.retention.files import to_json
from airflow_provider_tencentim.retention.plan import FORMAT, Plan, PlanHeader, PlanRow, PlanWriter, check_digest

HEADER = {
    "chat": "group",
    "sdkappid": 1400000000,
    "base_url": "https://console.tim.qq.com",
    "policy": {"action": "recall", "groups": ["*"]},
    "cut_off": "2026-01-01T00:00:00+00:00",
    "created": 1_767_000_000,
    "run": {"dag_id": "clean", "run_id": "manual"},
    "shard": "1/1",
    "holds": False,
    "incremental": False,
}
ROWS = [
    PlanRow(group="one", type="Public", create_time=5, action="recall", through=9, ranges="1-9", messages=9),
    PlanRow(group="two", skip="held"),
    PlanRow(group="three", type="Private", create_time=6, action="clear", through=4, lower=1, messages=3, oldest=7),
    PlanRow(group="four", skip="held"),
    PlanRow(group="five", type="Public", create_time=6, skip="nothing_older"),
]

texts = st.text(min_size=1, max_size=20)
ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
times = st.integers(1, 2**31)
keys = st.from_regex(r"[0-9]{1,9}_[0-9]{1,9}_[0-9]{1,9}", fullmatch=True)


@st.composite
def rows(draw):
    """A row of any content that a planner could write: it counts what it names."""
    fields = draw(st.fixed_dictionaries({}, optional={"create_time": times, "oldest": times, "newest": times}))
    if draw(st.booleans()):
        name = draw(st.fixed_dictionaries({"group": ids}) | st.fixed_dictionaries({"pair": st.tuples(ids, ids)}))
        return PlanRow(**name, **fields, skip=draw(texts), through=draw(st.integers(0, LAST_SEQ)))
    if draw(st.booleans()):
        named = draw(st.dictionaries(ids, st.lists(keys, min_size=1, max_size=3).map(tuple), min_size=1, max_size=2))
        pair, action = draw(st.tuples(ids, ids)), draw(st.sampled_from(["recall", "redact"]))
        return PlanRow(pair=pair, action=action, keys=named, messages=sum(map(len, named.values())), **fields)
    lower, *edges = sorted(draw(st.sets(st.integers(0, LAST_SEQ), min_size=3, max_size=9)))
    fields |= {"group": draw(ids), "type": draw(texts), "lower": lower, "through": edges[-1]}
    if draw(st.booleans()):
        return PlanRow(**fields, action="clear", messages=edges[-1] - lower)
    ranges = list(zip(edges[::2], edges[1::2], strict=False))
    return PlanRow(
        **fields,
        action=draw(st.sampled_from(["recall", "redact", "redact_and_recall"])),
        ranges=", ".join(f"{first}-{last}" for first, last in ranges),
        messages=sum(last - first + 1 for first, last in ranges),
    )


def write(folder, rows=ROWS, **header):
    writer = PlanWriter(folder)
    for row in rows:
        writer.add(row)
    return writer.finish(**HEADER | header)


@pytest.fixture
def small(monkeypatch):
    """Parts of two rows."""
    monkeypatch.setattr(plan_module, "_ROWS_PER_PART", 2)


# --- what was written comes back ---


def test_a_plan_is_read_as_it_was_written(tmp_path, small):
    header, digest = write(tmp_path / "deep" / "plan")

    plan = Plan(tmp_path / "deep" / "plan", digest)
    plan.verify()

    assert list(plan.rows()) == ROWS
    assert plan.header == header
    assert [part[0] for part in header.parts] == [2, 2, 1]
    assert (header.rows, header.groups, header.messages) == (5, 2, 12)
    assert header.skipped == {"held": 2, "nothing_older": 1}
    assert {name: getattr(header, name) for name in HEADER} == HEADER
    assert sorted(path.name for path in plan.folder.iterdir()) == [
        "header.json",
        "rows-00000.jsonl",
        "rows-00001.jsonl",
        "rows-00002.jsonl",
    ]


def test_the_same_rows_have_the_same_digest(tmp_path):
    assert write(tmp_path / "a")[1] == write(tmp_path / "b")[1] != write(tmp_path / "c", ROWS[:-1])[1]


def test_a_plan_without_rows_is_a_plan(tmp_path):
    header, digest = write(tmp_path, [])

    plan = Plan(tmp_path, digest)
    plan.verify()

    assert list(plan.rows()) == []
    assert (header.rows, header.groups, header.parts) == (0, 0, [])


@settings(max_examples=300, deadline=None)
@given(rows())
def test_a_row_comes_back_from_json_as_it_was(row):
    assert PlanRow.from_dict(json.loads(to_json(row.to_dict()))) == row
    assert b"\n" not in to_json(row.to_dict())


@settings(max_examples=50, deadline=None)
@given(given_rows=st.lists(rows(), max_size=8), chat=st.sampled_from(["group", "c2c"]))
def test_rows_of_any_content_come_back_from_a_plan(tmp_path_factory, given_rows, chat):
    folder = tmp_path_factory.mktemp("plan")
    given_rows = [row for row in given_rows if (row.group is None) == (chat == "c2c")]
    _, digest = write(folder, given_rows, chat=chat)

    assert list(Plan(folder, digest).rows()) == given_rows


def test_a_plan_in_the_place_of_an_older_one_has_only_its_own_rows(tmp_path, small):
    _, older = write(tmp_path)
    _, digest = write(tmp_path, ROWS[:1])

    assert list(Plan(tmp_path, digest).rows()) == ROWS[:1]
    with pytest.raises(ValueError, match=r"header\.json is not that of the plan"):
        Plan(tmp_path, older)


# --- bounded memory ---


def many(number):
    for count in range(1, number + 1):
        yield PlanRow(
            group=f"@TGS#{count:012}", type="Public", create_time=count, action="clear", through=9, messages=9
        )


def test_many_rows_are_written_and_read_in_the_memory_of_one_part(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "_ROWS_PER_PART", 500)
    tracemalloc.start()
    header, digest = write(tmp_path, many(15_000))
    written = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    read = sum(1 for _ in Plan(tmp_path, digest).rows())
    reading = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (header.rows, header.groups, read) == (15_000, 15_000, 15_000)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    part = (tmp_path / "rows-00000.jsonl").stat().st_size
    assert size > 25 * part
    # A part as lines and as a whole, the pieces it is read in, and what Python needs besides.
    assert written < 8 * part
    assert reading < 8 * part + 512 * 1024 < size


def test_a_part_has_at_most_ten_thousand_rows(tmp_path):
    header, digest = write(tmp_path, many(25_000))

    assert [part[0] for part in header.parts] == [10_000, 10_000, 5_000]
    assert sum(row.messages for row in Plan(tmp_path, digest).rows()) == header.messages == 25_000 * 9


def test_rows_that_are_long_make_parts_of_fewer_rows(tmp_path):
    ranges = ", ".join(str(seq) for seq in range(1, 200_000, 2))
    long = [replace(ROWS[0], ranges=ranges, through=199_999, messages=100_000) for _ in range(20)]

    header, digest = write(tmp_path, long)

    assert len(header.parts) > 2
    assert max(path.stat().st_size for path in tmp_path.iterdir()) < 6 * 1024 * 1024
    assert list(Plan(tmp_path, digest).rows()) == long


# --- what was changed is refused ---


def consume(folder, digest):
    plan = Plan(folder, digest)
    plan.verify()
    return list(plan.rows())


def test_one_byte_changed_anywhere_is_refused_by_the_name_of_its_file(tmp_path, small):
    _, digest = write(tmp_path)
    tried = 0
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        for position in range(0, len(content), 3):
            for byte in (content[position] ^ 1, 0x20 if content[position] != 0x20 else 0x30):
                path.write_bytes(content[:position] + bytes([byte]) + content[position + 1 :])
                with pytest.raises(ValueError, match=path.name.replace(".", r"\.")):
                    consume(tmp_path, digest)
                tried += 1
        path.write_bytes(content)

    assert tried > 500
    assert consume(tmp_path, digest) == ROWS


def test_a_plan_that_is_longer_or_shorter_is_refused(tmp_path, small):
    _, digest = write(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        first, _, rest = content.partition(b"\n")
        changes = [content[:-1], content[: len(content) // 2], content + b"\n", content + first + b"\n", rest + b" "]
        for change in changes:
            path.write_bytes(change)
            with pytest.raises(ValueError, match=path.name.replace(".", r"\.")):
                consume(tmp_path, digest)
        path.write_bytes(content)


def test_rows_in_another_order_are_refused(tmp_path, small):
    _, digest = write(tmp_path)
    part = tmp_path / "rows-00000.jsonl"
    part.write_bytes(b"".join(reversed(part.read_bytes().splitlines(keepends=True))))

    with pytest.raises(ValueError, match=r"rows-00000\.jsonl"):
        consume(tmp_path, digest)


@pytest.mark.parametrize("number", range(3))
def test_a_part_that_is_missing_is_named(tmp_path, small, number):
    _, digest = write(tmp_path)
    name = f"rows-{number:05}.jsonl"
    (tmp_path / name).unlink()

    with pytest.raises(ValueError, match=f"{name} is missing"):
        Plan(tmp_path, digest).verify()
    with pytest.raises(ValueError, match=f"{name} is missing"):
        list(Plan(tmp_path, digest).rows())


def test_parts_that_change_places_or_are_of_another_plan_are_refused(tmp_path, small):
    _, digest = write(tmp_path / "one")
    write(tmp_path / "other", ROWS[::-1])
    first, second = (tmp_path / "one" / f"rows-0000{number}.jsonl" for number in (0, 1))
    contents = first.read_bytes(), second.read_bytes()

    shutil.copy(tmp_path / "other" / first.name, first)
    with pytest.raises(ValueError, match=first.name):
        consume(tmp_path / "one", digest)

    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    with pytest.raises(ValueError, match=first.name):
        consume(tmp_path / "one", digest)


def test_a_part_behind_the_last_one_is_not_read(tmp_path, small):
    _, digest = write(tmp_path)
    shutil.copy(tmp_path / "rows-00000.jsonl", tmp_path / "rows-00003.jsonl")

    assert consume(tmp_path, digest) == ROWS


def test_a_part_that_changes_while_it_is_read_is_refused_before_its_rows(tmp_path, small):
    _, digest = write(tmp_path)
    plan = Plan(tmp_path, digest)
    plan.verify()
    reading = plan.rows()
    assert [next(reading), next(reading)] == ROWS[:2]
    part = tmp_path / "rows-00001.jsonl"
    part.write_bytes(part.read_bytes().replace(b'"three"', b'"thref"'))

    with pytest.raises(ValueError, match=part.name):
        next(reading)


def test_a_plan_that_is_not_finished_is_none(tmp_path):
    with pytest.raises(ValueError, match="no finished plan at plan_path"):
        Plan(tmp_path, "0" * 64)

    _, digest = write(tmp_path)
    writer = PlanWriter(tmp_path)  # that of the next run, which was killed
    writer.add(ROWS[0])

    with pytest.raises(ValueError, match="no finished plan at plan_path"):
        Plan(tmp_path, digest)


def forge(folder, **changes):
    """Another header, with a digest that fits it."""
    header = folder / "header.json"
    values = json.loads(header.read_bytes()) | changes
    content = to_json({name: value for name, value in values.items() if value is not None})
    header.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("other", [0, FORMAT + 1, "1", None, [1]])
def test_a_plan_of_another_format_is_refused(tmp_path, other):
    write(tmp_path)
    digest = forge(tmp_path, format=other)

    with pytest.raises(ValueError, match="made by another version"):
        Plan(tmp_path, digest)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/etc"},
        {"parts": [[1, "../../etc/passwd"]]},
        {"parts": [["../rows", "0" * 64]]},
        {"parts": [{"file": "../../rows.jsonl"}]},
        {"parts": [[-1, "0" * 64]]},
        {"parts": None},
        {"chat": "room"},
        {"policy": []},
        {"run": {"dag_id": 1}},
        {"run": [["dag_id", "x"]]},
        {"run": {"dag_id": "x", "task_id": None}},
        {"skipped": {"held": True}},
        {"holds": 1},
        {"sdkappid": "1400000000"},
        {"groups": -1},
        {"base_url": ""},
    ],
    ids=repr,
)
def test_a_header_that_is_none_is_refused_although_its_digest_fits(tmp_path, changes):
    write(tmp_path)
    digest = forge(tmp_path, **changes)

    with pytest.raises(ValueError, match=r"header\.json is not the header of a plan"):
        Plan(tmp_path, digest)


@pytest.mark.parametrize("content", [b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_header_that_is_no_json_object_is_refused_although_its_digest_fits(tmp_path, content):
    write(tmp_path)
    (tmp_path / "header.json").write_bytes(content)

    with pytest.raises(ValueError, match=r"header\.json is not a JSON object"):
        Plan(tmp_path, hashlib.sha256(content).hexdigest())


def test_files_that_are_too_long_are_not_held(tmp_path, small, monkeypatch):
    _, digest = write(tmp_path)
    monkeypatch.setattr(plan_module, "_LONGEST_PART", 100)
    with pytest.raises(ValueError, match=r"rows-00000\.jsonl is longer than 100 bytes"):
        consume(tmp_path, digest)

    monkeypatch.setattr(plan_module, "_LONGEST_HEADER", 100)
    with pytest.raises(ValueError, match=r"header\.json is longer than 100 bytes"):
        Plan(tmp_path, digest)


def forge_rows(folder, *lines):
    """Rows that no writer wrote, in a plan whose digests fit them."""
    content = b"".join(line + b"\n" for line in lines)
    (folder / "rows-00000.jsonl").write_bytes(content)
    return forge(folder, parts=[[len(lines), hashlib.sha256(content).hexdigest()]])


@pytest.mark.parametrize(
    "row",
    [
        {"group": "a", "skip": "held", "path": "/etc"},
        {"group": "a", "action": "clear", "archive": "../../up.gz"},
        {"group": "a", "action": "dissolve"},
        {"group": "a", "action": ["clear"]},
        {"group": ["a"], "action": "clear"},
        {"group": "", "action": "clear"},
        {"group": "a"},
        {"group": "a", "pair": ["a", "b"], "skip": "held"},
        {"group": "a", "action": "clear", "skip": "held"},
        {"action": "clear"},
        {"pair": ["a"], "skip": "held"},
        {"pair": ["a", "b", "c"], "skip": "held"},
        {"pair": "ab", "skip": "held"},
        {"group": "a", "action": "clear", "through": -1},
        {"group": "a", "action": "clear", "through": LAST_SEQ + 1},
        {"group": "a", "action": "clear", "through": True},
        {"group": "a", "action": "clear", "through": 1.0},
        {"group": "a", "action": "clear", "messages": "9"},
        {"group": "a", "action": "recall", "ranges": [1, 2]},
        {"pair": ["a", "b"], "action": "recall", "keys": ["k"]},
        {"pair": ["a", "b"], "action": "recall", "keys": {"a": "k"}},
        {"pair": ["a", "b"], "action": "recall", "keys": {"a": [1]}},
    ],
    ids=repr,
)
def test_a_row_that_is_none_is_refused_although_its_digest_fits(tmp_path, row):
    write(tmp_path)
    digest = forge_rows(tmp_path, to_json(ROWS[0].to_dict()), to_json(row))
    reading = Plan(tmp_path, digest).rows()

    assert next(reading) == ROWS[0]
    with pytest.raises(ValueError, match="row"):
        next(reading)


@pytest.mark.parametrize("line", [b"", b"[]", b"7", b"{", b'{"group":"a","skip":"h"}{}'])
def test_a_line_that_is_no_row_is_refused_although_its_digest_fits(tmp_path, line):
    write(tmp_path)
    digest = forge_rows(tmp_path, line)

    with pytest.raises(ValueError, match=r"rows-00000\.jsonl"):
        list(Plan(tmp_path, digest).rows())


def test_more_rows_than_the_header_says_are_refused_although_the_digest_fits(tmp_path):
    write(tmp_path)
    content = (tmp_path / "rows-00000.jsonl").read_bytes()
    digest = forge(tmp_path, parts=[[4, hashlib.sha256(content).hexdigest()]])

    with pytest.raises(ValueError, match=r"rows-00000\.jsonl has another number of rows"):
        list(Plan(tmp_path, digest).rows())


def test_ids_that_look_like_paths_stay_within_the_rows(tmp_path):
    ids = ["../../etc/passwd", "/etc/passwd", "..", "a/../b", "rows-00001.jsonl", "C:\\x", "s3://b/k"]
    _, digest = write(tmp_path / "plan", [PlanRow(group=name, skip="held") for name in ids])

    assert [row.group for row in Plan(tmp_path / "plan", digest).rows()] == ids
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["header.json", "plan", "rows-00000.jsonl"]


# --- the digest ---


def test_the_digest_that_a_task_returned_is_taken_and_nothing_else(tmp_path):
    _, digest = write(tmp_path)

    assert check_digest(f" {digest}\n") == digest
    for value in (None, "", "None", digest[:-1], digest.upper(), digest + "0", 7, digest.encode(), "é" * 64):
        with pytest.raises(ValueError, match="plan_digest must be"):
            check_digest(value)


def test_a_row_names_what_it_is_about():
    assert PlanRow(group="one", skip="held").name == "one"
    assert PlanRow(pair=("a", "b"), skip="held").name == "a / b"
    assert PlanHeader(**HEADER, parts=[[3, "0" * 64], [2, "1" * 64]]).rows == 5


def test_the_writer_says_when_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match="file"):
        PlanWriter(Path(tmp_path / "file" / "plan"))


def test_a_part_ends_with_the_row_that_reaches_its_size(tmp_path, monkeypatch):
    write(tmp_path / "one", ROWS[:1])
    size = (tmp_path / "one" / "rows-00000.jsonl").stat().st_size
    monkeypatch.setattr(plan_module, "_BYTES_PER_PART", size)
    assert [part[0] for part in write(tmp_path / "many", [ROWS[0]] * 3)[0].parts] == [1, 1, 1]

    monkeypatch.setattr(plan_module, "_BYTES_PER_PART", size + 1)
    assert [part[0] for part in write(tmp_path / "pairs", [ROWS[0]] * 4)[0].parts] == [2, 2]


def test_what_is_refused_says_why_and_no_more(tmp_path):
    with pytest.raises(ValueError, match=r"^there is no finished plan at plan_path$"):
        Plan(tmp_path, "0" * 64)
    with pytest.raises(ValueError, match=r"^plan_digest must be the digest that the planning task returned$"):
        plan_module.check_digest("0" * 63)


def test_a_plan_knows_its_digest(tmp_path):
    _, digest = write(tmp_path)

    assert Plan(tmp_path, digest).digest == digest
