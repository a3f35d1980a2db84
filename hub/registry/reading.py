"""The endpoints that read: what each request means for the store."""

from __future__ import annotations

from typing import Any

from hub.registry import asked, faults
from hub.registry.decisions import Decisions
from hub.registry.exchange import Ask, Route, sees_all
from hub.registry.library import Library
from hub.registry.records import AVRO
from hub.registry.store import DEFAULT_LEVEL, Schema, Store, Version
from hub.security.access import Permission
from hub.version import version as product_version

READ = Permission.REGISTRY_READ
DEFAULT_CONTEXT = "."
CLUSTER = "schema-registry"
"""Confluent's default name of a group of registries over one log."""


class Reading:
    """Each method answers what becomes the JSON body and raises Fault."""

    def __init__(self, store: Store, library: Library, decisions: Decisions) -> None:
        self._store = store
        self._library = library
        self._decisions = decisions

    def routes(self) -> list[Route]:
        """All of them. Fixed segments stand before variable ones of the same length."""
        return [
            Route("GET", "/", "root", READ, self.root),
            Route("GET", "/schemas/ids/*", "schema", READ, self.schema),
            Route("GET", "/schemas/ids/*/schema", "schema_raw", READ, self.schema_raw),
            Route("GET", "/schemas/ids/*/versions", "schema_versions", READ, self.schema_versions),
            Route("GET", "/schemas/ids/*/subjects", "schema_subjects", READ, self.schema_subjects),
            Route("GET", "/schemas/types", "types", READ, self.types),
            Route("GET", "/schemas", "schemas", READ, self.schemas),
            Route("GET", "/contexts", "contexts", READ, self.contexts),
            Route("GET", "/v1/metadata/id", "metadata", READ, self.metadata_id),
            Route("GET", "/v1/metadata/version", "metadata", READ, self.metadata_version),
            Route("GET", "/subjects", "subjects", READ, self.subjects),
            Route("POST", "/subjects/*", "lookup", READ, self.lookup),
            Route("GET", "/subjects/*/versions", "versions", READ, self.versions),
            Route("GET", "/subjects/*/versions/*", "version", READ, self.version),
            Route("GET", "/subjects/*/versions/*/schema", "version_schema", READ, self.version_schema),
            Route("GET", "/subjects/*/versions/*/referencedby", "referenced_by", READ, self.referenced_by),
            Route("POST", "/compatibility/subjects/*/versions", "compatibility", READ, self.compatibility),
            Route("POST", "/compatibility/subjects/*/versions/*", "compatibility", READ, self.compatibility),
            Route("GET", "/config", "config", READ, self.config),
            Route("GET", "/config/*", "config", READ, self.config),
            Route("GET", "/mode", "mode", READ, self.mode),
            Route("GET", "/mode/*", "mode", READ, self.mode),
        ]

    async def root(self, _: Ask) -> Any:
        return {}

    async def types(self, _: Ask) -> Any:
        return [AVRO]

    async def contexts(self, ask: Ask) -> Any:
        return asked.page([DEFAULT_CONTEXT], ask)

    async def metadata_id(self, _: Ask) -> Any:
        return {"id": "", "scope": {"path": [], "clusters": {"schema-registry-cluster": CLUSTER}}}

    async def metadata_version(self, _: Ask) -> Any:
        return {"version": product_version(), "commitId": ""}

    async def schema(self, ask: Ask) -> Any:
        answer = self._seen(ask).content()
        if ask.flag("fetchMaxId"):
            answer["maxId"] = self._store.last_id
        return answer

    async def schema_raw(self, ask: Ask) -> Any:
        return _raw(self._seen(ask))

    async def schema_versions(self, ask: Ask) -> Any:
        uses = [{"subject": version.subject, "version": version.number} for version in self._uses(ask)]
        return asked.page(uses, ask)

    async def schema_subjects(self, ask: Ask) -> Any:
        return asked.page(sorted({version.subject for version in self._uses(ask)}), ask)

    async def schemas(self, ask: Ask) -> Any:
        prefix, deleted = asked.prefix(ask), ask.flag("deleted")
        listed: list[Version] = []
        for subject in self._store.subjects(deleted=deleted):
            if subject.startswith(prefix) and ask.sees(subject):
                versions = self._store.versions(subject, deleted=deleted)
                listed += versions[-1:] if ask.flag("latestOnly") else versions
        return [self._shown(version) for version in asked.page(listed, ask)]

    async def subjects(self, ask: Ask) -> Any:
        prefix, only = asked.prefix(ask), asked.deleted_only(ask)
        names = self._store.subjects(deleted=only or ask.flag("deleted"))
        live = set(self._store.subjects()) if only else frozenset()
        return asked.page(
            [name for name in names if name.startswith(prefix) and name not in live and ask.sees(name)], ask
        )

    async def versions(self, ask: Ask) -> Any:
        only, negative = asked.deleted_only(ask), ask.flag("deletedAsNegative")
        versions = self._versions(ask.segments[0], deleted=only or ask.flag("deleted"))
        listed = [version for version in versions if version.deleted or not only]
        return asked.page([-each.number if negative and each.deleted else each.number for each in listed], ask)

    async def version(self, ask: Ask) -> Any:
        return self._shown(self._version(ask, deleted=ask.flag("deleted")))

    async def version_schema(self, ask: Ask) -> Any:
        return _raw(self._schema(self._version(ask, deleted=ask.flag("deleted")).id))

    async def referenced_by(self, ask: Ask) -> Any:
        version = self._version(ask, deleted=True)
        referrers = self._store.referrers(version.subject, version.number, deleted=ask.flag("deleted"))
        return asked.page(sorted({referrer.id for referrer in referrers}), ask)

    async def lookup(self, ask: Ask) -> Any:
        (subject,) = ask.segments
        deleted = ask.flag("deleted")
        offered = asked.offered(ask, self._library)
        self._versions(subject, deleted=deleted)
        found = self._store.find(subject, offered.form, deleted=deleted)
        if found is None:
            raise faults.schema_not_found()
        return self._shown(found)

    async def compatibility(self, ask: Ask) -> Any:
        subject, *rest = ask.segments
        offered = asked.offered(ask, self._library)
        version = self._compared(subject, asked.version_number(rest[0])) if rest else None
        unknown = bool(rest) and version is None
        verbose = ask.flag("verbose")
        found = [] if unknown else self._decisions.against(subject, offered, version, proposals=verbose)
        answer: dict[str, Any] = {"is_compatible": not found}
        if verbose:
            answer["messages"] = [item.told_en for item in found]
        return answer

    def _compared(self, subject: str, number: int | None) -> Version | None:
        """The version to compare with; None if the latest of an unknown subject is asked for."""
        versions = self._store.versions(subject)
        if number is None:
            return versions[-1] if versions else None
        found = next((version for version in versions if version.number == number), None)
        if found is None:
            raise faults.version_not_found(number)
        return found

    async def config(self, ask: Ask) -> Any:
        if not ask.segments:
            return {"compatibilityLevel": (self._store.level(None) or DEFAULT_LEVEL).value}
        (subject,) = ask.segments
        level = self._store.level(subject)
        if level is None and ask.flag("defaultToGlobal"):
            level = self._store.effective_level(subject)
        if level is None:
            raise faults.level_not_configured(subject)
        return {"compatibilityLevel": level.value}

    async def mode(self, ask: Ask) -> Any:
        subject = ask.segments[0] if ask.segments else None
        mode = self._store.mode(subject)
        if subject is None or ask.flag("defaultToGlobal"):
            mode = self._store.effective_mode(subject)
        if mode is None:
            raise faults.mode_not_configured(subject or "")
        return {"mode": mode.value}

    def _shown(self, version: Version) -> dict[str, Any]:
        head = {"subject": version.subject, "id": version.id, "version": version.number}
        return {**head, **self._schema(version.id).content()}

    def _seen(self, ask: Ask) -> Schema:
        """The schema by id, if any of its versions is one that the caller may see."""
        schema_id = asked.schema_id(ask.segments[0])
        if ask.sees is not sees_all and not self._visible(ask, schema_id, deleted=True):
            raise faults.schema_not_found(f"Schema {schema_id}")
        return self._schema(schema_id)

    def _visible(self, ask: Ask, schema_id: int, *, deleted: bool) -> list[Version]:
        return [version for version in self._store.uses(schema_id, deleted=deleted) if ask.sees(version.subject)]

    def _uses(self, ask: Ask) -> list[Version]:
        schema_id, subject = asked.schema_id(ask.segments[0]), ask.query.get("subject")
        self._seen(ask)
        uses = self._visible(ask, schema_id, deleted=ask.flag("deleted"))
        return [version for version in uses if not subject or version.subject == subject]

    def _schema(self, schema_id: int) -> Schema:
        held = self._store.schema(schema_id)
        if held is None:
            raise faults.schema_not_found(f"Schema {schema_id}")
        return held

    def _versions(self, subject: str, *, deleted: bool) -> list[Version]:
        versions = self._store.versions(subject, deleted=deleted)
        if not versions:
            raise faults.subject_not_found(subject)
        return versions

    def _version(self, ask: Ask, *, deleted: bool) -> Version:
        subject, given = ask.segments
        number = asked.version_number(given)
        versions = self._versions(subject, deleted=deleted)
        if number is None:
            return versions[-1]
        for version in versions:
            if version.number == number:
                return version
        raise faults.version_not_found(number)


def _raw(held: Schema) -> bytes:
    # Another registry may have written a bare primitive's name, which is no JSON.
    text = held.text
    return text.encode() if held.kind != AVRO or text[:1] in '{["' else f'"{text}"'.encode()
