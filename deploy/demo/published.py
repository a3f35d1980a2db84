"""The figures of the steering committee's meeting of 19 September 2022, as they were published."""

from __future__ import annotations

Figure = tuple[str, str, int | None, int | None, float, str, float | None]
"""KPI, indicator, numerator, denominator, value, unit, plan."""
FIGURES: tuple[Figure, ...] = (
    ("feedback_processed", "CT-PAHT-XU-LY", 380, 493, 77, "%", None),
    ("feedback_on_time", "CT-PAHT-DUNG-HAN", 275, 380, 72, "%", None),
    ("accounts", "CT-TAI-KHOAN-TNS", None, None, 132_000, "tài khoản", None),
    ("online_services_used", "CT-DVC-PHAT-SINH", None, None, 28.61, "%", 80),
    ("dossiers_online", "CT-HO-SO-TRUC-TUYEN", None, None, 22, "%", 50),
    ("digitised", "CT-SO-HOA", None, None, 100, "%", None),
    ("results_electronic", "CT-KET-QUA-DIEN-TU", None, None, 9.5, "%", None),
    ("reports_online", "CT-BAO-CAO-DIEN-TU", None, None, 100, "%", None),
    ("adults_smartphone", "CT-NGUOI-SMARTPHONE", 835_000, None, 70.65, "%", None),
    ("households_smartphone", "CT-HO-SMARTPHONE", 329_898, 329_898, 100, "%", None),
    ("households_fibre", "CT-HO-CAP-QUANG", 264_607, 329_898, 80.21, "%", None),
    ("mobile_coverage", "CT-PHU-SONG", None, None, 100, "%", None),
    ("teams", "CT-TO-CNS", None, None, 493, "tổ", None),
    ("teams_hamlet", "CT-TO-CNS-AP", None, None, 481, "tổ", None),
    ("teams_commune", "CT-TO-CNS-XA", None, None, 12, "tổ", None),
)
"""What was published on 19 September 2022. 493 teams are 481 and 12, and have nothing to do with 493 reports."""
