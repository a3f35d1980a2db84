"""A freshness promise as people say it. Pure."""

from __future__ import annotations

from datetime import timedelta

from connectors.errors import Text
from schemas.promise import Cadence, Cron, PeriodOf, Promise

PERIODS = {
    PeriodOf.SAME_DAY: Text("cùng ngày", "the same day"),
    PeriodOf.PREVIOUS_DAY: Text("ngày hôm trước", "the day before"),
    PeriodOf.PREVIOUS_WORKING_DAY: Text("ngày làm việc trước", "the working day before"),
}


def in_words(promise: Promise) -> Text:
    """One sentence: when data are due, and from when on they are late."""
    form, name = promise.form, promise.calendar.name
    if isinstance(form, Cadence):
        counted = Text("giờ làm việc", "working time") if promise.working else Text("giờ đồng hồ", "the clock")
        vi = f"trong {_length(form.within, 'vi')} ({counted.vi}); trễ sau {_length(form.error, 'vi')}"
        en = f"within {_length(form.within, 'en')} (by {counted.en}); late after {_length(form.error, 'en')}"
    elif isinstance(form, Cron):
        vi = f"theo lịch cron «{form.expression}»; ân hạn {_length(form.grace, 'vi')}"
        en = f"by cron “{form.expression}”; grace {_length(form.grace, 'en')}"
    else:
        at, period = f"{form.minute // 60:02d}:{form.minute % 60:02d}", PERIODS[form.period]
        vi = f"trước {at} mỗi ngày làm việc, dữ liệu {period.vi}; ân hạn {_length(form.grace, 'vi')}"
        en = f"by {at} of each working day, data of {period.en}; grace {_length(form.grace, 'en')}"
    stops = len(promise.maintenance.declared)
    more_vi = f"; {stops} khoảng bảo trì" if stops else ""
    more_en = f"; {stops} maintenance windows" if stops else ""
    return Text(f"{vi}; lịch {name.vi}{more_vi}", f"{en}; calendar {name.en}{more_en}")


def _length(length: timedelta, language: str) -> str:
    seconds = int(length.total_seconds())
    units = ((86_400, "ngày", "d"), (3_600, "giờ", "h"), (60, "phút", "min"), (1, "giây", "s"))
    for size, vi, en in units:
        if seconds and seconds % size == 0:
            return f"{seconds // size} {vi if language == 'vi' else en}"
    return "0"
