"""Numbers, times and durations as people of a language write them. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal

from hub.locale.catalogue import Catalogue

UNKNOWN = "–"

DAY_FORMATS = {"vi": "dd/MM/yyyy", "en": "d MMM yyyy"}
BUCKET_FORMATS = {
    ("vi", "day"): "dd/MM",
    ("vi", "month"): "MM/yyyy",
    ("en", "day"): "d MMM",
    ("en", "month"): "MMM yyyy",
}


def number_text(value: float | None, language: str, decimals: int | None = None) -> str:
    """`77,08` in Vietnamese; with `decimals` always so many; None is a dash."""
    if value is None:
        return UNKNOWN
    return _number_text(value or 0, language, decimals)


@lru_cache(maxsize=8_192)
def _number_text(value: float, language: str, decimals: int | None) -> str:
    """Kept: a pattern takes 24 µs, a page shows hundreds of numbers, and most are those of the last look."""
    pattern = "#,##0." + "0" * decimals if decimals else "#,##0.##"
    return str(format_decimal(value, format=pattern, locale=language))


def exact_text(value: float, language: str) -> str:
    """All its digits, grouped: what was computed, not what is read at a glance."""
    return str(format_decimal(value, locale=language, decimal_quantization=False))


def signed_text(value: float, language: str) -> str:
    """With a true minus or a plus, so that a gap reads as a gap."""
    sign = "−" if value < 0 else "+" if value > 0 else ""
    return sign + number_text(abs(value), language)


def day_text(day: date, language: str) -> str:
    return str(format_date(day, DAY_FORMATS[language], locale=language))


def bucket_text(day: date, grain: str, language: str) -> str:
    """The name of a trend's bucket."""
    return str(format_date(day, BUCKET_FORMATS[language, grain], locale=language))


def clock_text(time: datetime | None, now: datetime, timezone: str, language: str) -> str:
    """`08:15:03`; another day's time carries its date."""
    if time is None:
        return UNKNOWN
    zone = ZoneInfo(timezone)
    local = time.astimezone(zone)
    text = local.strftime("%H:%M:%S")
    return text if local.date() == now.astimezone(zone).date() else f"{text} {day_text(local.date(), language)}"


def age_text(age_s: float | None, t: Catalogue) -> str:
    """An age in its largest fitting unit."""
    if age_s is None:
        return UNKNOWN
    age = timedelta(seconds=age_s)
    if age < timedelta(minutes=2):
        return t("age.seconds", n=int(age_s))
    if age < timedelta(hours=2):
        return t("age.minutes", n=int(age_s // 60))
    if age < timedelta(days=2):
        return t("age.hours", n=int(age_s // 3600))
    return t("age.days", n=age.days)
