"""Connectors as the KPIs' freshness sees them."""

from __future__ import annotations

from datetime import timedelta

from connectors.declaration import BilingualText
from connectors.manifest import Manifest
from hub.kpi.feed import Feed


def feed_of(manifest: Manifest) -> Feed:
    """A manifest's part in freshness."""
    return Feed(
        connector=manifest.id,
        kind=manifest.kind,
        department=manifest.owner.department,
        owner=manifest.owner.contact,
        entity=manifest.entity,
        source_system=manifest.source_system,
        org=manifest.owner.org,
        promise=timedelta(seconds=manifest.sla.usual_interval_s),
        rule=manifest.promise,
        objective=manifest.sla.objective,
        name=_texts(manifest.name),
        system=None if manifest.system is None else _texts(manifest.system),
    )


def _texts(text: BilingualText) -> dict[str, str]:
    return {"vi": text.vi, "en": text.en}
