"""The registry's REST interface: all of its routes."""

from __future__ import annotations

from hub.registry.decisions import Decisions
from hub.registry.exchange import Route
from hub.registry.library import Library
from hub.registry.reading import Reading
from hub.registry.registrar import Registrar
from hub.registry.store import Store
from hub.registry.writing import Writing


def routes(store: Store, library: Library, decisions: Decisions, registrar: Registrar) -> list[Route]:
    """What reads, then what writes; the writes go through `registrar`."""
    return [*Reading(store, library, decisions).routes(), *Writing(library, decisions, registrar).routes()]
