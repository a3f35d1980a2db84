"""The marks of data quality in words. Pure."""

from __future__ import annotations

from hub.kpi.badges import Badge
from hub.locale.catalogue import Catalogue
from hub.web import formats


def badge_reason(badge: Badge, t: Catalogue) -> str:
    """Why a mark stands as it does, in the catalogue's language."""
    values = {
        name: t(f"state.{value}")
        if name == "state"
        else formats.number_text(value, t.language)
        if isinstance(value, int)
        else value
        for name, value in badge.values.items()
    }
    return t(f"badge.{badge.reason}", **values)
