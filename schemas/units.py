"""Units in which contracts measure, with their names in Vietnamese and English."""

from __future__ import annotations

UNITS: dict[str, tuple[str, str]] = {
    "VND": ("đồng", "dong"),
    "USD": ("đô la Mỹ", "US dollars"),
    "%": ("%", "%"),
    "code": ("mã", "code"),
    "count": ("số đếm", "count"),
    "degree": ("độ", "degrees"),
    "documents": ("tài liệu", "documents"),
    "ha": ("ha", "ha"),
    "kg": ("kg", "kg"),
    "km/h": ("km/giờ", "km/h"),
    "level": ("mức", "level"),
    "ms": ("mili giây", "ms"),
    "pages": ("trang", "pages"),
    "people": ("người", "people"),
    "points": ("điểm", "points"),
    "s": ("giây", "s"),
    "times": ("lần", "times"),
    "views": ("lượt xem", "views"),
    "visits": ("lượt khách", "visits"),
    "votes": ("lượt biểu quyết", "votes"),
}
"""By the text that stands in a contract: the unit's name in Vietnamese and English."""


def unit_name(unit: str, language: str) -> str:
    """The unit's name in `vi` or `en`; one that is not listed shows as itself."""
    vi, en = UNITS.get(unit, (unit, unit))
    return en if language == "en" else vi
