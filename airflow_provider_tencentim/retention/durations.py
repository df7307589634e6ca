"""Moments and ages: where the cut-off of a policy lies."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pendulum

_ONE_DAY = timedelta(days=1)
# Full dates only: the parsers of ISO 8601 take the year 2026 and the week 2026-W03 for dates as well.
_MOMENT = re.compile(
    r"(?:\d{4}-\d\d-\d\d|\d{8})"
    r"(?:[T ](?:\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?|\d{4}(?:\d\d)?) ?(?:Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_AGE = re.compile(
    r"P(?=.)(?:(?P<years>\d{1,9})Y)?(?:(?P<months>\d{1,9})M)?(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?"
    r"(?:(?P<seconds>\d{1,9})(?:\.(?P<fraction>\d{1,6}))?S)?)?",
    re.ASCII,
)
# Beyond it there is no calendar.
_LONGEST = 12 * 10_000


@dataclass(frozen=True, slots=True)
class Age:
    """How old a message must be: months go by the calendar, everything else by the clock.

    :param months: twelve for a year.
    :param rest: what comes on top.
    """

    months: int = 0
    rest: timedelta = field(default_factory=timedelta)

    def before(self, moment: datetime) -> datetime:
        """Return the moment that lies this long before another one.

        :param moment: in UTC.
        :raises ValueError: when there is none, since the calendar begins with the year 1.
        """
        try:
            earlier: datetime = pendulum.instance(moment).subtract(months=self.months)
            return in_utc(earlier - self.rest)
        except (ValueError, OverflowError):
            raise ValueError("reaches back before the year 1") from None

    def __str__(self) -> str:
        fraction = f".{self.rest.microseconds:06}" if self.rest.microseconds else ""
        return f"P{self.months}M{self.rest.days}DT{self.rest.seconds}{fraction}S"


def read_moment(name: str, value: object) -> datetime:
    """Return a moment in UTC, in whole seconds.

    :param name: the key.
    :param value: a datetime or date, or one as ISO 8601 text; without a time midnight, without a zone UTC.
    :raises ValueError: when it is something else.
    """
    if isinstance(value, str) and _MOMENT.fullmatch(value.strip()):
        try:
            value = datetime.fromisoformat(re.sub(r" (?=[Z+-])", "", value.strip()))
        except ValueError:
            raise ValueError(f"{name} is no day or time of the calendar") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise ValueError(
            f"{name} must be a date or time such as 2026-01-31 or 2026-01-31T08:00:00Z, not {_kind(value)}"
        )
    try:
        return in_utc(value).replace(microsecond=0)
    except OverflowError:
        raise ValueError(f"{name} lies outside of the calendar in UTC") from None


def read_age(name: str, value: object) -> Age:
    """Return an age above zero.

    :param name: the key.
    :param value: a timedelta, or an ISO 8601 duration as text.
    :raises ValueError: when it is something else, or not above zero.
    """
    if isinstance(value, str) and (match := _AGE.fullmatch(value.strip())):
        age = _age_of(name, match)
    elif isinstance(value, timedelta):
        age = _age_from(value)
    else:
        raise ValueError(f"{name} must be a duration such as P60D, PT36H or P1Y2M, not {_kind(value)}")
    if age.months < 0 or age.rest < timedelta() or age == Age():
        raise ValueError(f"{name} must be above zero")
    if age.months > _LONGEST:
        raise ValueError(f"{name} is longer than the calendar")
    return age


def fix_cut_off(
    before: datetime | None, older_than: Age | None, allow_recent: bool, reference: datetime, now: datetime
) -> datetime:
    """Return the moment before which messages are touched, in whole seconds.

    :param before: the moment itself, if the policy names it.
    :param older_than: else the age at the time of reference.
    :param allow_recent: whether it may be less than a day ago.
    :param reference: what ages are counted from.
    :param now: the time.
    :raises ValueError: when it lies in the future, or is too recent, and saying what to do.
    """
    if before is None:
        if older_than is None:
            raise ValueError("one of before, older_than is required")
        try:
            before = older_than.before(in_utc(reference)).replace(microsecond=0)
        except ValueError as error:
            raise ValueError(f"older_than {error}: give a shorter one") from None
    age = in_utc(now) - before
    shown = before.isoformat()
    if age < timedelta():
        raise ValueError(f"the cut-off {shown} lies in the future: give an earlier before, or a longer older_than")
    if age < _ONE_DAY and not allow_recent:
        raise ValueError(
            f"the cut-off {shown} is less than a day ago: give an earlier one, or allow_recent: true if it is meant"
        )
    return before


def in_utc(moment: datetime) -> datetime:
    """Return a moment as a plain datetime in UTC, which it is in when it names no zone.

    :param moment: any.
    """
    if moment.utcoffset() is None:
        moment = moment.replace(tzinfo=UTC)
    moment = moment.astimezone(UTC)
    # Subclasses print and compare in ways of their own.
    return datetime.combine(moment.date(), moment.time(), UTC)


def _age_of(name: str, match: re.Match[str]) -> Age:
    fraction = (match["fraction"] or "").ljust(6, "0")
    parts = {
        name: int(match[name] or 0) for name in ("years", "months", "weeks", "days", "hours", "minutes", "seconds")
    }
    months = 12 * parts.pop("years") + parts.pop("months")
    try:
        return Age(months, timedelta(**parts, microseconds=int(fraction)))
    except OverflowError:
        raise ValueError(f"{name} is longer than the calendar") from None


def _age_from(value: timedelta) -> Age:
    if not isinstance(value, pendulum.Duration) or isinstance(value, pendulum.Interval):
        return Age(0, timedelta(value.days, value.seconds, value.microseconds))
    # As a timedelta it counts 365 days a year and 30 a month.
    nominal = timedelta(days=365 * value.years + 30 * value.months)
    return Age(12 * value.years + value.months, value.as_timedelta() - nominal)


def _kind(value: object) -> str:
    return "other text" if isinstance(value, str) else type(value).__name__
