"""System 14: the figures reported to the steering committee as a workbook, and monthly reports of units by REST."""

from __future__ import annotations

import base64
import random
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.local_time import iso
from deploy.demo.published import FIGURES, Figure
from deploy.demo.simulation import Simulator, Site, Stage, System, Totals
from deploy.demo.tally import Row, count, final_states, of_period, share, total, utc
from deploy.demo.uploads import UploadSimulator, workbook
from deploy.demo.worktime import local_date

ID = "indicators"
REPORTS = "indicator-reports"
SHEET = "Chỉ tiêu"
HEADER = (
    *("Mã chỉ tiêu", "Đơn vị báo cáo", "Loại kỳ", "Từ ngày", "Đến ngày", "Tử số", "Mẫu số", "Giá trị", "Đơn vị tính"),
    *("Cận dưới", "Kế hoạch", "Ngày nộp", "Đã duyệt", "Nguồn", "Mã xã", "Thao tác"),
)
MEETING = date(2022, 9, 19)
SOURCE = "Báo cáo Ban Chỉ đạo chuyển đổi số tỉnh Tây Ninh, 19/9/2022"
MERGER = date(2025, 7, 1)

UNITS = tuple(f"H53.{number:02d}" for number in range(1, 20))
LIVE, USER = 1_000, "ioc"
"""Revisions of live reports begin above those of the history; the account that reads them."""
MONTHLY = ("CT-SO-HOA", "CT-BAO-CAO-DIEN-TU", "CT-KET-QUA-DIEN-TU")


def _line(figure: Figure, day: date, source: str, approved: bool) -> Raw:
    _, code, numerator, denominator, value, unit, plan = figure
    return {
        **dict.fromkeys(HEADER),
        "Mã chỉ tiêu": code,
        "Đơn vị báo cáo": "H53",
        "Loại kỳ": "Thời điểm",
        "Từ ngày": f"{day}",
        "Đến ngày": f"{day}",
        "Tử số": numerator,
        "Mẫu số": denominator,
        "Giá trị": value,
        "Đơn vị tính": unit,
        "Cận dưới": "Có" if code == "CT-TAI-KHOAN-TNS" else "Không",
        "Kế hoạch": plan,
        "Ngày nộp": f"{day}",
        "Đã duyệt": "Có" if approved else "Không",
        "Nguồn": source,
        "Mã xã": "80" if day >= MERGER else "72",
    }


def workbooks(origin: Origin) -> list[Raw]:
    """A draft of the meeting's figures, the approved ones, and what was reported at the beginning of this year."""
    draft = [_line(figure, MEETING, SOURCE, False) for figure in FIGURES]
    draft[0] |= {"Giá trị": 76, "Tử số": 375}
    final = [_line(figure, MEETING, SOURCE, True) for figure in FIGURES]
    first = date(local_date(origin.anchor).year, 1, 1)
    this_year = [_line(figure, first, "Báo cáo đầu năm của Sở Thông tin và Truyền thông", True) for figure in FIGURES]
    return [
        {"tep": "bao-cao-2022-09-19-du-thao.xlsx", "stt": 0, "dong": draft, "loi": bad_rows()},
        {"tep": "bao-cao-2022-09-19.xlsx", "stt": 1, "dong": final},
        {"tep": f"bao-cao-{first}.xlsx", "stt": 2, "dong": this_year},
    ]


def bad_rows() -> list[Raw]:
    """An indicator of no list, a share with its sign, a commune of the other code set."""
    good = _line(FIGURES[-1], MEETING - timedelta(days=1), SOURCE, False)
    flaws: tuple[Raw, ...] = ({"Mã chỉ tiêu": "CT-999"}, {"Giá trị": "80,21%"}, {"Đơn vị báo cáo": "H53.101"})
    return [good | flaw for flaw in flaws]


def _months(origin: Origin) -> list[date]:
    """First days of the nine months of 2022 and of the months of this year that are over."""
    today = local_date(origin.anchor)
    return [*(date(2022, m, 1) for m in range(1, 10)), *(date(today.year, m, 1) for m in range(1, today.month))]


def reports(origin: Origin) -> list[Raw]:
    """A report of each unit and month; some are sent again with other figures."""
    rng = random.Random(f"{origin.seed}:{REPORTS}")
    found = []
    for first in _months(origin):
        last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        for unit in UNITS:
            found.append(_report(rng, unit, first, last, 1, last + timedelta(days=2)))
            if rng.random() < 0.1:
                found.append(_report(rng, unit, first, last, 2, last + timedelta(days=3)))
    sent = [report for report in found if report["nopLuc"] < f"{local_date(origin.anchor)}"]
    return sorted(sent, key=lambda report: str(report["nopLuc"]))


def _report(rng: random.Random, unit: str, first: date, last: date, revision: int, sent: date) -> Raw:
    values = []
    for code in MONTHLY:
        whole = rng.randint(40, 400)
        part = rng.randint(whole // 3, whole)
        values.append(
            {
                "id": f"bc-{code}-{unit}-{last}-{revision}",
                "ma": code,
                "tuSo": part,
                "mauSo": whole,
                "giaTri": round(100 * part / whole, 2),
                "donViTinh": "%",
                "keHoach": 80,
                "daDuyet": revision == 2 or rng.random() < 0.8,
            }
        )
    return {
        "maDonVi": unit,
        "maXa": "25459",
        "tuNgay": f"{first}",
        "denNgay": f"{last}",
        "nopLuc": f"{sent}T09:00:00+07:00",
        "phienBan": revision,
        "chiTieu": values,
    }


def bad_reports() -> list[Raw]:
    """One report with an unknown indicator, a value in words, and an approval in words."""
    report = _report(random.Random(REPORTS), "H53.14", date(2022, 8, 1), date(2022, 8, 31), 9, date(2022, 9, 3))
    for value, flaw in zip(report["chiTieu"], ({"ma": "X1"}, {"giaTri": "chưa có"}, {"daDuyet": "rồi"}), strict=True):
        value |= flaw | {"id": f"{value['id']}-x"}
    return [report]


def write_history(origin: Origin) -> list[Raw]:
    return [*workbooks(origin), *reports(origin)]


def content(raw: Raw) -> bytes:
    """The reporting form."""
    rows = [[row[name] for name in HEADER] for row in [*raw["dong"], *raw.get("loi", ())]]
    return workbook(SHEET, "BIỂU TỔNG HỢP CHỈ TIÊU CHUYỂN ĐỔI SỐ", HEADER, rows)


def rows_of(records: Iterable[Raw]) -> list[Row]:
    """All values in canonical terms."""
    found: list[Row] = []
    for raw in records:
        if "dong" in raw:
            found += [_of_workbook(row, raw["stt"]) for row in raw["dong"]]
        else:
            found += [_of_report(value, raw) for value in raw["chiTieu"]]
    return found


def _of_workbook(row: Raw, revision: int) -> Row:
    return {
        "entity_key": f"{row['Mã chỉ tiêu']}:{row['Đơn vị báo cáo']}:{row['Đến ngày']}",
        "revision": revision,
        "op": "UPSERT",
        "code": row["Mã chỉ tiêu"],
        "moment": True,
        "period_end": utc(f"{row['Đến ngày']}T00:00:00+07:00"),
        "numerator": row["Tử số"],
        "denominator": row["Mẫu số"],
        "value": row["Giá trị"],
        "approved": row["Đã duyệt"] == "Có",
    }


def _of_report(value: Raw, report: Raw) -> Row:
    return {
        "entity_key": f"{value['ma']}:{report['maDonVi']}:{report['denNgay']}",
        "revision": report["phienBan"],
        "op": "UPSERT",
        "code": value["ma"],
        "moment": False,
        "period_end": utc(f"{report['denNgay']}T00:00:00+07:00"),
        "numerator": value["tuSo"],
        "denominator": value["mauSo"],
        "value": value["giaTri"],
        "approved": value["daDuyet"],
    }


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period: the published figures as they were reported."""
    rows = rows_of(read_emitted(state, ID))
    found = of_period(final_states(rows), "period_end", start, end)
    kpis: dict[str, Any] = {
        "reported.values": count(len(found)),
        "reported.approved_share": share(total(found, lambda each: each["approved"]), len(found)),
    }
    for name, code, _, _, _, unit, _ in FIGURES:
        mine = _last([each for each in found if each["code"] == code and each["moment"]])
        kpis[f"reported.{name}"] = _share_of(mine) if unit == "%" else count(sum(each["value"] for each in mine))
    return Totals(kpis, {"indicator_value": len(rows)}, {ID: len(bad_rows()), REPORTS: 3})


def _last(values: list[Row]) -> list[Row]:
    """What was reported as of the latest day."""
    latest = max((each["period_end"] for each in values), default=None)
    return [each for each in values if each["period_end"] == latest]


def _share_of(values: Sequence[Row]) -> dict[str, Any]:
    """Parts as they were reported; where there is a share only, it over 10,000."""
    parts = [
        (each["numerator"], each["denominator"])
        if each["denominator"] is not None
        else (round(each["value"] * 100), 10_000)
        for each in values
    ]
    return share(sum(part for part, _ in parts), sum(whole for _, whole in parts))


class LiveReport:
    """A unit's month up to today, reported again with each day's figures. See `deploy.demo.live.Case`."""

    length = 1

    def __init__(self, seed: int, number: int) -> None:
        self._rng, self._number = random.Random(f"{seed}:{number}:{REPORTS}"), number

    def play(self, step: int, now: int) -> Raw:
        today = local_date(now)
        report = _report(self._rng, self._rng.choice(UNITS), today.replace(day=1), today, LIVE + self._number, today)
        return report | {"nopLuc": iso(now)}

    def restore(self, step: int, at: int, raw: Raw) -> None:
        return


class ReportingSystem:
    """The official's workbooks and the units' reports. See `Simulator`."""

    def __init__(self, stage: Stage) -> None:
        self._reports: list[Raw] = list(bad_reports())
        begin = partial(LiveReport, stage.origin.seed)
        self._uploads = UploadSimulator(
            stage, ID, content, write_history, begin, lambda raw: "dong" in raw, self._reports.append
        )
        self._reports.sort(key=lambda report: str(report["nopLuc"]))
        login = f"{USER}:{stage.site.secret('password')}"
        self._login = "Basic " + base64.b64encode(login.encode()).decode()

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/api/bao-cao", self._answer)]

    async def _answer(self, request: Request) -> Response:
        if not secrets.compare_digest(request.headers.get("authorization", ""), self._login):
            return JSONResponse({"loi": "sai tên hoặc mật khẩu"}, 401)
        query = request.query_params
        since, size, page = query.get("tuLuc", ""), int(query.get("soDong", 500)), int(query.get("trang", 1))
        moment = utc(since) if since else None
        found = [report for report in self._reports if moment is None or _sent(report) >= moment]
        return JSONResponse({"baoCao": found[(page - 1) * size : page * size]})

    async def run(self, ready: Callable[[], None]) -> None:
        await self._uploads.run(ready)


def _sent(report: Raw) -> Any:
    return utc(report["nopLuc"])


def make(stage: Stage) -> Simulator:
    """The reporting system of the province."""
    return ReportingSystem(stage)


def environment(site: Site) -> dict[str, str]:
    return {
        "IOC_SECRET_REPORTS_URL": site.http_url,
        "IOC_SECRET_REPORTS_USER": USER,
        "IOC_SECRET_REPORTS_PASSWORD": site.secret("password"),
    }


INDICATORS = System(ID, {ID: "indicator_value", REPORTS: "indicator_value"}, environment, make, expected)
