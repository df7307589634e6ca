"""Moments and ages: what is read as one, and where a cut-off lies."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone

import pendulum
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.retention import durations
from airflow_provider_tencentim.retention.durations import Age, fix_cut_off, read_age, read_moment

CHINA = timezone(timedelta(hours=8))
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
ages = st.builds(Age, st.integers(0, 1000), st.timedeltas(timedelta(), timedelta(days=10_000))).filter(
    lambda age: age != Age()
)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-01-02", datetime(2026, 1, 2)),
        ("20260102", datetime(2026, 1, 2)),
        (" 2026-01-02T03:04 ", datetime(2026, 1, 2, 3, 4)),
        ("2026-01-02 03:04:05.999", datetime(2026, 1, 2, 3, 4, 5)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5)),
        ("2026-01-02T03:04:05+08:00", datetime(2026, 1, 1, 19, 4, 5)),
        ("2026-01-02 03:04:05 +0800", datetime(2026, 1, 1, 19, 4, 5)),
        ("20260102T030405+0000", datetime(2026, 1, 2, 3, 4, 5)),
        (date(2026, 1, 2), datetime(2026, 1, 2)),
        (datetime(2026, 1, 2, 3, 4, 5, 999_999), datetime(2026, 1, 2, 3, 4, 5)),
        (datetime(2026, 1, 2, 3, tzinfo=CHINA), datetime(2026, 1, 1, 19)),
        (pendulum.datetime(2026, 1, 2, 3, tz="Asia/Shanghai"), datetime(2026, 1, 1, 19)),
    ],
)
def test_a_moment_is_a_full_date_or_time_and_in_utc_when_it_names_no_zone(value, moment):
    read = read_moment("before", value)

    assert read == moment.replace(tzinfo=UTC)
    assert type(read) is datetime


@pytest.mark.parametrize(
    "value",
    [
        "2026", "2026-01", "202601", "2026-W03", "2026-W03-1", "2026-001", "12:00", "T12:00", "now", "P1D",
        "2026-13-01",
        "2026-02-30", "2026-01-01T25:00", "2026-01-01T10", "2026-01-01/P1D", "2026-01-01/2026-01-02", "1767225600",
        "٢٠٢٦-٠١-٠١",
        "2026-01-01 00:00 Asia/Shanghai", "0001-01-01T00:00+08:00",
        20260101, 1.5, True, [2026], b"2026-01-01", timedelta(1),
    ],
)  # fmt: skip
def test_everything_else_is_no_moment(value):
    with pytest.raises(ValueError, match=r"^before "):
        read_moment("before", value)


@pytest.mark.parametrize(
    ("value", "age"),
    [
        ("P60D", Age(0, timedelta(60))),
        ("PT36H", Age(0, timedelta(hours=36))),
        ("P1Y2M", Age(14)),
        ("P2W", Age(0, timedelta(14))),
        ("P1Y2M3DT4H5M6.5S", Age(14, timedelta(3, hours=4, minutes=5, seconds=6.5))),
        (timedelta(60), Age(0, timedelta(60))),
        (pendulum.duration(years=1, months=2, days=3), Age(14, timedelta(3))),
        (pendulum.datetime(2026, 3, 1) - pendulum.datetime(2026, 1, 1), Age(0, timedelta(59))),
    ],
)
def test_an_age_is_a_duration_whose_months_go_by_the_calendar(value, age):
    assert read_age("older_than", value) == age


@pytest.mark.parametrize(
    "value",
    [
        "60", "60 days", "60D", "P", "PT", "P1", "P1DT", "p1d", "-P1D", "P-1D", "P1.5D", "P1D/P1D", "P1Y1Y", "P1M1Y",
        "PT1H1D",
        "1 day, 0:00:00", "P٦D", "PT99999999999S", "P999999999999D", 60, 1.5, True, ["P60D"], "2026-01-01",
    ],
)  # fmt: skip
def test_everything_else_is_no_age(value):
    with pytest.raises(ValueError, match=r"^older_than must be a duration"):
        read_age("older_than", value)


@pytest.mark.parametrize("value", ["P0D", "PT0S", "P0Y", timedelta(), timedelta(-1), pendulum.duration(months=-1)])
def test_an_age_is_above_zero(value):
    with pytest.raises(ValueError, match="above zero"):
        read_age("older_than", value)


@pytest.mark.parametrize("value", ["P999999999W", "P999999999Y", "P20000Y"])
def test_an_age_beyond_the_calendar_is_an_error(value):
    with pytest.raises(ValueError, match="longer than the calendar"):
        read_age("older_than", value)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ages)
def test_the_text_of_an_age_is_read_back_as_that_age(age):
    assert read_age("older_than", str(age)) == age


@pytest.mark.parametrize(
    ("age", "cut_off"),
    [
        ("P1M", datetime(2026, 2, 28, 12)),
        ("P1Y1M", datetime(2025, 2, 28, 12)),
        ("P25M", datetime(2024, 2, 29, 12)),
        ("P30D", datetime(2026, 3, 1, 12)),
        ("PT36H", datetime(2026, 3, 30)),
        ("PT36H0.5S", datetime(2026, 3, 29, 23, 59, 59)),
    ],
)
def test_the_cut_off_lies_that_long_before_the_time_of_reference(age, cut_off):
    assert fix_cut_off(None, read_age("older_than", age), False, NOW, NOW) == cut_off.replace(tzinfo=UTC)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ages.filter(lambda age: age.months < 300), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))
def test_a_cut_off_is_floored_to_the_whole_second_so_that_no_message_is_touched_early(age, reference):
    cut_off = fix_cut_off(None, age, True, reference, datetime(2101, 1, 1))

    assert cut_off.microsecond == 0
    assert timedelta() <= age.before(reference.replace(tzinfo=UTC)) - cut_off < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("before", "allow_recent", "reason"),
    [
        (NOW + timedelta(seconds=1), False, "in the future"),
        (NOW + timedelta(seconds=1), True, "in the future"),
        (NOW - timedelta(hours=24) + timedelta(seconds=1), False, "allow_recent"),
        (NOW, False, "allow_recent"),
        (NOW - timedelta(hours=24), False, None),
        (NOW, True, None),
    ],
)
def test_a_cut_off_in_the_future_is_refused_and_a_recent_one_unless_it_is_allowed(before, allow_recent, reason):
    if reason is None:
        assert fix_cut_off(before, None, allow_recent, NOW, NOW) == before
    else:
        with pytest.raises(ValueError, match=reason):
            fix_cut_off(before, None, allow_recent, NOW, NOW)


def test_an_age_that_reaches_back_before_the_calendar_is_an_error():
    with pytest.raises(ValueError, match="older_than reaches back before the year 1"):
        fix_cut_off(None, Age(12 * 3000), False, NOW, NOW)
    with pytest.raises(ValueError, match="older_than reaches back before the year 1"):
        fix_cut_off(None, Age(0, timedelta(999_999_999)), False, NOW, NOW)


@pytest.fixture
def far_from_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_moment_is_in_utc_wherever_the_machine_stands(far_from_utc):
    assert durations.in_utc(datetime(2026, 1, 1, 12)) == datetime(2026, 1, 1, 12, tzinfo=UTC)
    east = timezone(timedelta(hours=3))
    assert durations.in_utc(datetime(2026, 1, 1, 12, tzinfo=east)) == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert durations.read_moment("x", "2026-01-01T12:00 +03:00") == datetime(2026, 1, 1, 9, tzinfo=UTC)


def test_an_age_keeps_all_of_a_timedelta_and_shows_it():
    age = durations.read_age("x", timedelta(days=2, seconds=3, microseconds=4))

    assert age == durations.Age(0, timedelta(days=2, seconds=3, microseconds=4))
    assert str(age) == "P0M2DT3.000004S"
    assert str(durations.read_age("x", "P1Y2D")) == "P12M2DT0S"
    assert durations.read_age("x", "P10000Y").months == 120_000


def test_what_is_neither_a_moment_nor_an_age_is_named_by_its_kind():
    moment, age = "a date or time such as 2026-01-31 or 2026-01-31T08:00:00Z", "a duration such as P60D, PT36H or P1Y2M"
    for value, kind in (("soon", "other text"), (5, "int")):
        with pytest.raises(ValueError, match=f"^x must be {moment}, not {kind}$"):
            durations.read_moment("x", value)
        with pytest.raises(ValueError, match=f"^x must be {age}, not {kind}$"):
            durations.read_age("x", value)
    with pytest.raises(ValueError, match=r"^x is longer than the calendar$"):
        durations.read_age("x", "P999999999W")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match=r"^one of before, older_than is required$"):
        durations.fix_cut_off(None, None, False, now, now)
