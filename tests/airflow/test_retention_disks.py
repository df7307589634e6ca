"""Storage that is full, cannot be written to, or fails half-way: the task is not green, and a retry does the rest."""

from __future__ import annotations

import errno
import shutil
import subprocess
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from retention_runs import check_counts, fill, recalled

from airflow_provider_tencentim.operators.retention import GroupRetentionOperator

try:
    from airflow.sdk.io import attach
except ImportError:  # Airflow 2
    from airflow.io.store import attach

GROUPS = [f"room{number:02}" for number in range(30)]
MOUNT, UMOUNT = (shutil.which(name) or name for name in ("mount", "umount"))
FOLDERS = {"plan": "plan_path", "archive": "archive_to", "report": "report_path", "state": "state_path"}


class Disk:
    """A small file system of the kernel's, mounted for a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=128k", "tmpfs")

    def fill(self) -> None:
        """Leave one page and no more."""
        ballast = self.folder / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(self.folder).free - 4096))

    def lock(self) -> None:
        self._mount("-o", "remount,ro")

    def heal(self) -> None:
        self._mount("-o", "remount,rw,size=64m")

    def _mount(self, *arguments: str) -> None:
        subprocess.run([MOUNT, *arguments, str(self.folder)], check=True, capture_output=True)

    def close(self) -> None:
        subprocess.run([UMOUNT, str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    try:
        disk = Disk(tmp_path / "disk")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount: run the tests as root, or within unshare --map-root-user --mount")
    yield disk
    disk.heal()
    disk.close()


class FlakyStore(MemoryFileSystem):
    """An object store whose every second write fails, until it is healed."""

    cachable = False
    healthy = False
    writes = 0

    def _open(self, path, mode="rb", **options):
        if "r" not in mode and not FlakyStore.healthy:
            FlakyStore.writes += 1
            if FlakyStore.writes % 2 == 0:
                raise OSError(errno.EIO, "the store is gone", path)
        return super()._open(path, mode, **options)


@pytest.fixture
def rooms(emulator):
    for group in GROUPS:
        fill(emulator, group)
    return emulator


def sweep(rooms, make_dag, run_dag, folders, heal):
    """Run a sweep whose first try meets the trouble, and return the run with what was gone after that try."""
    gone = {}

    def between_tries(_) -> None:
        gone.update({group: recalled(rooms, group) for group in GROUPS})
        heal()

    with make_dag() as dag:
        GroupRetentionOperator(
            task_id="sweep",
            policy={"action": "recall", "older_than": "P30D", "groups": ["room*"]},
            **folders,
            retries=1,
            retry_delay=timedelta(0),
            on_retry_callback=between_tries,
        )
    return run_dag(dag), gone


def check_healed(rooms, run):
    """Everything that was meant is gone by now, nothing else is, and the result says so."""
    assert run.tasks == {"sweep": "success"}
    assert run.tries == {"sweep": 2}
    assert {group: recalled(rooms, group) for group in GROUPS} == {group: {1, 2, 3} for group in GROUPS}
    check_counts(run.results["sweep"])
    assert run.results["sweep"]["failed"] == run.results["sweep"]["missing"] == 0


@pytest.mark.parametrize("trouble", ["fill", "lock"])
@pytest.mark.parametrize("kind", FOLDERS)
def test_a_disk_that_is_full_or_locked(rooms, make_dag, run_dag, tmp_path, disk, kind, trouble):
    folders = {name: f"{disk.folder if one == kind else tmp_path}/{one}" for one, name in FOLDERS.items()}
    getattr(disk, trouble)()

    run, gone = sweep(rooms, make_dag, run_dag, folders, disk.heal)

    assert set(gone) == set(GROUPS)  # the first try was not green
    if kind in ("plan", "archive"):
        assert sum(map(len, gone.values())) < 90
    if kind == "archive" and trouble == "lock":
        assert not any(gone.values())
    check_healed(rooms, run)


@pytest.mark.parametrize("kind", FOLDERS)
def test_an_object_store_that_fails_half_way(rooms, make_dag, run_dag, tmp_path, kind, monkeypatch):
    attach("memory", conn_id="flaky", fs=FlakyStore())
    monkeypatch.setattr(FlakyStore, "writes", 0)
    monkeypatch.setattr(FlakyStore, "healthy", False)
    place = f"memory://flaky@{uuid.uuid4().hex}"
    folders = {name: f"{place if one == kind else tmp_path}/{one}" for one, name in FOLDERS.items()}

    run, gone = sweep(rooms, make_dag, run_dag, folders, lambda: setattr(FlakyStore, "healthy", True))

    assert set(gone) == set(GROUPS)
    if kind in ("plan", "archive"):
        assert sum(map(len, gone.values())) < 90
    check_healed(rooms, run)
