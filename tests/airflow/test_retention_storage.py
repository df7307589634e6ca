"""Retention's files on Airflow's ObjectStoragePath, as on a plain path."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_tencentim.client.seqs import SeqSet
from airflow_provider_tencentim.client.signature import SecretKey
from airflow_provider_tencentim.retention import files
from airflow_provider_tencentim.retention import plan as plan_module
from airflow_provider_tencentim.retention.archive import Archive, group_message
from airflow_provider_tencentim.retention.files import Parts, read_file, write_file
from airflow_provider_tencentim.retention.history import Entry
from airflow_provider_tencentim.retention.plan import Plan, PlanRow, PlanWriter
from airflow_provider_tencentim.retention.policy import RetentionPolicy
from airflow_provider_tencentim.retention.progress import FileStore, Progress
from airflow_provider_tencentim.retention.state import State

try:
    from airflow.sdk.io import attach
except ImportError:  # Airflow 2
    from airflow.io.store import attach

HEADER = {
    "chat": "group",
    "sdkappid": 1,
    "base_url": "https://console.tim.qq.com",
    "policy": {"action": "clear"},
    "cut_off": "2026-01-01T00:00:00+00:00",
    "created": 1,
    "run": {},
    "shard": "1/1",
    "holds": False,
    "incremental": False,
}


@pytest.fixture(params=["plain", "local", "file", "memory"])
def folder(request, tmp_path):
    """A folder that does not exist yet."""
    name = uuid.uuid4().hex
    match request.param:
        case "plain":
            return Path(tmp_path / name)
        case "local":
            return ObjectStoragePath(str(tmp_path / name))
        case "file":
            return ObjectStoragePath(f"file://{tmp_path}/{name}")
        case _:
            attach("memory", fs=MemoryFileSystem())
            return ObjectStoragePath(f"memory://{name}/below")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_replaced_and_read(folder):
    path = folder / "deep" / "file.json"
    with pytest.raises(FileNotFoundError):
        read_file(path, 10)

    for content in (b"first", b"", b"second" * 100_000):
        write_file(path, content)
        assert read_file(path, 1_000_000) == content
    with pytest.raises(ValueError, match=r"file\.json is longer than 9 bytes"):
        read_file(path, 9)
    assert names(folder / "deep") == ["file.json"]


@pytest.mark.parametrize("kind", ["plain", "local", "file"])
def test_a_local_file_is_put_in_place_as_a_whole(tmp_path, monkeypatch, kind):
    made = {
        "plain": tmp_path,
        "local": ObjectStoragePath(str(tmp_path)),
        "file": ObjectStoragePath(f"file://{tmp_path}"),
    }
    path = made[kind] / "file"
    write_file(path, b"old")
    seen = []

    def fail(_):
        seen.append((tmp_path / "file").read_bytes())
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_file(path, b"new")

    assert seen == [b"old"]
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


def test_parts_are_written_and_taken_away(folder):
    parts = Parts(folder, "report")
    for number in range(3):
        parts.add({"n": number})
        parts.flush()
    assert names(folder) == ["report-00000.jsonl", "report-00001.jsonl", "report-00002.jsonl"]

    Parts(folder, "report", written=1).drop_beyond()
    assert names(folder) == ["report-00000.jsonl"]
    assert json.loads(read_file(folder / "report-00000.jsonl", 100)) == {"n": 0}


def test_a_plan_is_written_and_read(folder, monkeypatch):
    monkeypatch.setattr(plan_module, "_ROWS_PER_PART", 2)
    rows = [PlanRow(group=f"room-{number}", action="clear", through=9, messages=9) for number in range(5)]
    writer = PlanWriter(folder)
    for row in rows:
        writer.add(row)
    with pytest.raises(ValueError, match="no finished plan"):
        Plan(folder, "0" * 64)
    header, digest = writer.finish(**HEADER)

    plan = Plan(folder, digest)
    plan.verify()
    assert (list(plan.rows()), plan.header) == (rows, header)

    (folder / "rows-00002.jsonl").unlink()
    with pytest.raises(ValueError, match=r"rows-00002\.jsonl is missing"):
        plan.verify()
    with pytest.raises(ValueError, match="no finished plan"):
        Plan(folder / "elsewhere", digest)


def test_an_archive_is_written_and_read_back(folder):
    archive = Archive(folder, 1)
    messages = [group_message("room", Entry(seq, 5, sender="ann", body=[{"猫": "👪"}])) for seq in range(1, 30)]
    written = [archive.write(1, "Group", "room", 5, messages[:20]), archive.write(1, "Group", "room", 5, messages[20:])]

    assert [file.file for file in written] == ["00000001.gz", "00000001-2.gz"]
    assert [file.seqs for file in written] == ["1-20", "21-29"]
    assert Archive(folder, 1).earlier(1, "room") == written
    content = read_file(folder / "00000001-2.gz", 10_000)
    write_file(folder / "00000001-2.gz", content[:-5])
    assert archive.earlier(1, "room") == written[:1]


def test_a_state_is_kept(folder):
    policy = RetentionPolicy.parse({"before": "2026-01-01", "all_groups": True, "action": "clear"})
    assert State(folder, 1, policy).through("room", 5) == 0
    state = State(folder, 1, policy)
    state.record(PlanRow(group="room", create_time=5, action="clear", through=9))
    state.save()

    assert State(folder, 1, policy).through("room", 5) == 9


def test_progress_is_kept(folder):
    store = FileStore(folder / "progress.json", SecretKey("key").seal)
    assert store.load() is None
    failed = SeqSet()
    failed.add(2, 4)
    store.save(Progress("d", 7, failed).to_dict())

    assert (
        Progress.from_dict("d", FileStore(folder / "progress.json", SecretKey("key").seal).load()).to_dict()["failed"]
        == "2-4"
    )
    store.clear()
    assert store.load() is None
