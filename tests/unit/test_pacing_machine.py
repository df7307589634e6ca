"""One pace for all processes of a machine: what the file holds, and what happens when it cannot."""

from __future__ import annotations

import fcntl
import hashlib
import multiprocessing
import os
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from scripted_server import ScriptedServer

from airflow_provider_tencentim.client import pacing_machine
from airflow_provider_tencentim.client.errors import Kind, TencentIMPaceError
from airflow_provider_tencentim.client.pacing import FURTHEST_SECONDS, PaceStoreError
from airflow_provider_tencentim.client.pacing_machine import MACHINE_PACER, MachinePacer

KEY = "1400000000/openim/sendmsg"


class Clock:
    """A clock that goes only when told to, in every process to which it is sent."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pacer(tmp_path, clock):
    return MachinePacer(tmp_path / "pace", clock)


def files(tmp_path):
    return [*(tmp_path / "pace").iterdir()]


def reserve_many(folder, rate, number):
    pacer = MachinePacer(folder, Clock())
    return [pacer.reserve(KEY, rate) for _ in range(number)]


def test_four_processes_share_one_pace_without_a_gap_and_without_a_double(tmp_path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        parts = pool.starmap(reserve_many, [(tmp_path / "pace", 190, 100)] * 4, chunksize=1)

    moments = sorted(moment for part in parts for moment in part)
    assert moments == pytest.approx([number / 190 for number in range(400)])


def test_threads_share_one_pace_without_a_gap_and_without_a_double(pacer):
    with ThreadPoolExecutor(16) as pool:
        moments = sorted(pool.map(lambda _: pacer.reserve(KEY, 190), range(400)))

    assert moments == pytest.approx([number / 190 for number in range(400)])


def test_the_rate_may_differ_between_those_who_share(pacer):
    assert pacer.reserve(KEY, 10) == 0
    assert pacer.reserve(KEY, 100) == pytest.approx(0.1)
    assert pacer.reserve(KEY, 100) == pytest.approx(0.11)


def test_time_that_passed_is_not_saved_up_for_a_burst(pacer, clock):
    pacer.reserve(KEY, 10)
    clock.now += 500

    assert [pacer.reserve(KEY, 10) for _ in range(3)] == pytest.approx([0, 0.1, 0.2])


def test_every_app_and_command_has_a_pace_of_its_own(pacer):
    pacer.reserve("1/openim/sendmsg", 1)

    assert pacer.reserve("1/openim/modify_group_msg", 1) == 0
    assert pacer.reserve("2/openim/sendmsg", 1) == 0
    assert pacer.reserve("1/openim/sendmsg", 1) == pytest.approx(1)


def test_slowing_down_holds_for_the_other_processes_too_and_brings_no_call_forward(tmp_path, pacer, clock):
    pacer.slow_down(KEY, 60)
    other = MachinePacer(tmp_path / "pace", clock)
    other.slow_down(KEY, 1)

    assert other.reserve(KEY, 10) == pytest.approx(60)
    assert pacer.reserve(KEY, 10) == pytest.approx(60.1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"1234567",
        b"123456789",
        b"x" * 10_000,
        struct.pack("<d", float("nan")),
        struct.pack("<d", float("inf")),
        struct.pack("<d", -1.0),
        struct.pack("<d", 999.0),
        struct.pack("<d", 1000.0 + FURTHEST_SECONDS + 1),
        struct.pack("<d", 1e300),
    ],
    ids=map(str, count()),
)
def test_what_is_no_moment_counts_as_none(tmp_path, pacer, content):
    pacer.reserve(KEY, 10)
    (file,) = files(tmp_path)
    file.write_bytes(content)

    assert pacer.reserve(KEY, 10) == 0
    assert len(content) > 8 or pacer.reserve(KEY, 10) == pytest.approx(0.1)


def test_after_a_restart_of_the_machine_the_clock_begins_anew_and_so_does_the_pace(tmp_path, monkeypatch):
    pacing_machine._name.cache_clear()
    monkeypatch.setattr(pacing_machine, "_boot_id", lambda: "before")
    MachinePacer(tmp_path / "pace", Clock(100.0)).slow_down(KEY, 60)

    pacing_machine._name.cache_clear()
    monkeypatch.setattr(pacing_machine, "_boot_id", lambda: "after")
    assert MachinePacer(tmp_path / "pace", Clock(50.0)).reserve(KEY, 10) == 0
    pacing_machine._name.cache_clear()


def test_where_restarts_have_no_name_a_moment_far_ahead_is_not_waited_for(tmp_path):
    MachinePacer(tmp_path / "pace", Clock(1_000_000.0)).reserve(KEY, 10)

    assert MachinePacer(tmp_path / "pace", Clock(5.0)).reserve(KEY, 10) == 0


def test_a_folder_that_was_removed_is_made_again(tmp_path, pacer):
    pacer.reserve(KEY, 10)
    for file in files(tmp_path):
        file.unlink()
    (tmp_path / "pace").rmdir()

    assert pacer.reserve(KEY, 10) == 0


def test_folder_and_files_are_the_users_own(tmp_path, pacer):
    pacer.reserve(KEY, 10)

    assert (tmp_path / "pace").stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in files(tmp_path)] == [0o600]


def a_file(folder):
    folder.write_text("")


def a_link(folder):
    other = folder.with_name("other")
    other.mkdir(mode=0o700)
    folder.symlink_to(other)


def open_to_others(folder):
    folder.mkdir()
    folder.chmod(0o777)


def files_are_folders(folder):
    folder.mkdir(mode=0o700)
    (folder / pacing_machine._name(KEY)).mkdir()


def files_are_links(folder):
    folder.mkdir(mode=0o700)
    (folder / pacing_machine._name(KEY)).symlink_to(folder.with_name("elsewhere"))


def files_are_pipes(folder):
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / pacing_machine._name(KEY))


def in_no_folder(folder):
    folder.parent.rmdir()


@pytest.mark.parametrize(
    "spoil", [a_file, a_link, open_to_others, files_are_folders, files_are_links, files_are_pipes, in_no_folder]
)
def test_a_folder_that_cannot_be_used_is_an_error_that_names_it(tmp_path, spoil):
    folder = tmp_path / "in" / "pace"
    folder.parent.mkdir()
    spoil(folder)
    pacer = MachinePacer(folder)

    with pytest.raises(PaceStoreError) as caught:
        pacer.reserve(KEY, 10)
    with pytest.raises(PaceStoreError):
        pacer.slow_down(KEY, 10)

    assert str(caught.value).startswith(f"the pace of this machine cannot be kept in {folder}: ")


def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    (tmp_path / "pace").mkdir(mode=0o700)
    monkeypatch.setattr(pacing_machine.os, "getuid", lambda: 12345)

    said = r": it must be a folder that belongs to this user and is open to nobody else$"
    with pytest.raises(PaceStoreError, match=said):
        MachinePacer(tmp_path / "pace").reserve(KEY, 10)


@pytest.mark.parametrize("call", ["mkdir", "open", "pread", "pwrite"])
def test_a_read_only_or_full_disk_is_an_error_and_not_no_pace(pacer, monkeypatch, call):
    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pacing_machine.os, call, fails)

    with pytest.raises(PaceStoreError, match=r": No space left on device$"):
        pacer.reserve(KEY, 10)


def test_an_error_without_words_is_told_by_its_type(pacer, monkeypatch):
    def fails(*_, **__):
        raise PermissionError

    monkeypatch.setattr(pacing_machine.os, "open", fails)

    with pytest.raises(PaceStoreError, match=r": PermissionError$"):
        pacer.reserve(KEY, 10)


def test_a_machine_without_a_folder_for_temporary_files_is_an_error_that_says_so(monkeypatch):
    def fails():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(pacing_machine.tempfile, "gettempdir", fails)

    said = "the pace of this machine cannot be kept in its temporary files: No usable temporary directory found"
    with pytest.raises(PaceStoreError, match=f"^{said}$"):
        MachinePacer().reserve(KEY, 10)


@pytest.mark.parametrize("mode", [0o701, 0o702, 0o704, 0o710, 0o720, 0o740])
def test_a_folder_that_is_open_to_anybody_else_in_any_way_is_refused(tmp_path, mode):
    (tmp_path / "pace").mkdir()
    (tmp_path / "pace").chmod(mode)

    with pytest.raises(PaceStoreError, match="open to nobody else"):
        MachinePacer(tmp_path / "pace").reserve(KEY, 10)


def test_a_folder_that_somebody_makes_meanwhile_is_used(tmp_path, monkeypatch):
    folder = tmp_path / "pace"
    mkdir = Path.mkdir

    def twice(path, mode=0o777, **options):
        mkdir(path, 0o700)
        mkdir(path, mode, **options)

    monkeypatch.setattr(Path, "mkdir", twice)

    assert MachinePacer(folder, Clock()).reserve(KEY, 10) == 0


def test_a_file_is_named_by_machine_start_and_key_and_by_no_letter_of_them(tmp_path, pacer, monkeypatch):
    pacing_machine._name.cache_clear()
    monkeypatch.setattr(pacing_machine, "_boot_id", lambda: "before")
    pacer.reserve(KEY, 10)
    pacing_machine._name.cache_clear()

    (file,) = files(tmp_path)
    assert file.name == hashlib.sha256(f"before {KEY}".encode()).hexdigest()[:32]
    assert file.read_bytes() == struct.pack("<d", 1000.1)


@pytest.mark.parametrize(("ahead", "waited"), [(FURTHEST_SECONDS, FURTHEST_SECONDS), (FURTHEST_SECONDS + 0.5, 0)])
def test_a_moment_an_hour_ahead_is_waited_for_and_one_further_is_none(tmp_path, pacer, ahead, waited):
    pacer.reserve(KEY, 10)
    (file,) = files(tmp_path)
    file.write_bytes(struct.pack("<d", 1000.0 + ahead))

    assert pacer.reserve(KEY, 10) == waited


def test_the_file_is_closed_to_programs_that_are_started_and_to_links(pacer, monkeypatch):
    flags = []
    opened = os.open
    monkeypatch.setattr(pacing_machine.os, "open", lambda path, how, mode: flags.append(how) or opened(path, how, mode))
    pacer.reserve(KEY, 10)

    assert flags == [os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW]


def test_a_lock_that_is_released_soon_is_waited_for(tmp_path, pacer):
    pacer.reserve(KEY, 10)
    (file,) = files(tmp_path)
    held = file.open("r+b")
    fcntl.flock(held, fcntl.LOCK_EX)
    timer = threading.Timer(0.05, held.close)
    timer.start()

    assert pacer.reserve(KEY, 10) == pytest.approx(0.1)
    timer.join()


def test_a_thread_that_holds_the_turn_for_too_long_is_an_error(pacer, monkeypatch):
    monkeypatch.setattr(pacing_machine, "_PATIENCE_SECONDS", 0.05)
    pacer.reserve(KEY, 10)
    with pacer._lock_of_threads(), pytest.raises(PaceStoreError, match=r": who holds its lock does not go on$"):
        pacer.reserve(KEY, 10)

    assert pacer.reserve(KEY, 10) == pytest.approx(0.1)


def test_a_lock_that_nobody_releases_is_an_error_after_a_while(tmp_path, pacer, monkeypatch):
    monkeypatch.setattr(pacing_machine, "_PATIENCE_SECONDS", 0.05)
    pacer.reserve(KEY, 10)
    (file,) = files(tmp_path)
    with file.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PaceStoreError, match="does not go on"):
            pacer.reserve(KEY, 10)

    assert pacer.reserve(KEY, 10) == pytest.approx(0.1)


def test_a_process_that_dies_with_the_lock_releases_it(tmp_path, pacer):
    pacer.reserve(KEY, 10)
    (file,) = files(tmp_path)
    if (child := os.fork()) == 0:
        fcntl.flock(os.open(file, os.O_RDWR), fcntl.LOCK_EX)
        os._exit(0)
    os.waitpid(child, 0)

    assert pacer.reserve(KEY, 10) == pytest.approx(0.1)


def in_a_fork(function):
    """Run a function in a forked child; return whether it returned True within 20 seconds."""
    if (child := os.fork()) == 0:
        threading.Timer(20, os._exit, [2]).start()
        try:
            os._exit(0 if function() else 1)
        finally:
            os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:This process")
def test_a_fork_shares_the_pace_even_if_a_thread_of_the_parent_was_reserving(tmp_path, clock):
    inside, go_on = threading.Event(), threading.Event()

    def slow_clock():
        inside.set()
        go_on.wait(20)
        return clock()

    pacer = MachinePacer(tmp_path / "pace", slow_clock)
    thread = threading.Thread(target=pacer.reserve, args=(KEY, 10))
    thread.start()
    inside.wait(20)
    # The child inherits the lock of the threads, held, and the file, locked: neither may outlive the parent's turn.
    released, sender = os.pipe()
    if (child := os.fork()) == 0:
        threading.Timer(20, os._exit, [2]).start()
        os.read(released, 1)
        pacer._clock = clock
        os._exit(0 if pacer.reserve(KEY, 10) == pytest.approx(0.1) else 1)
    go_on.set()
    thread.join()
    os.write(sender, b"!")

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pacer.reserve(KEY, 10) == pytest.approx(0.2)


@pytest.mark.filterwarnings("ignore:This process")
def test_a_fork_leaves_no_descriptor_behind(pacer):
    def descriptors():
        return {*Path("/dev/fd").iterdir()}

    pacer.reserve(KEY, 10)
    before = descriptors()
    pacer.reserve(KEY, 10)

    assert descriptors() == before
    assert in_a_fork(lambda: pacer.reserve(KEY, 10) == pytest.approx(0.2))


def test_the_machines_own_pacer_keeps_its_files_under_the_folder_for_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(pacing_machine.tempfile, "tempdir", str(tmp_path))

    MACHINE_PACER.reserve(KEY, 10)

    assert [one.name for one in tmp_path.iterdir()] == [f"airflow-provider-tencentim-{os.getuid()}"]


def test_without_a_pace_a_call_fails_at_once_and_nothing_is_sent(tmp_path):
    (tmp_path / "pace").write_text("")
    with (
        ScriptedServer() as server,
        server.client(pacer=MachinePacer(tmp_path / "pace")) as client,
        pytest.raises(TencentIMPaceError, match="pace of this machine") as caught,
    ):
        client.call("openim/sendmsg", {})

    assert server.requests == []
    assert (caught.value.kind, caught.value.lasting, caught.value.code) == (Kind.PACE, False, None)
