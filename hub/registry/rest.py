"""The endpoints: what each request means for the store and the registrar."""

from __future__ import annotations

from typing import Any

from hub.registry import faults
from hub.registry.exchange import Ask, Route
from hub.registry.offer import Offer, offer
from hub.registry.registrar import Registrar
from hub.registry.store import DEFAULT_LEVEL, Store, Version
from hub.security.access import Permission
from schemas.avro_parser import InvalidSchemaError
from schemas.compatibility import Level

LATEST = ("latest", "-1")
MAX_VERSION = 2**31 - 1
READ, WRITE, ADMIN = Permission.REGISTRY_READ, Permission.REGISTRY_WRITE, Permission.REGISTRY_ADMIN


class Endpoints:
    """One registry's endpoints; each method answers what becomes the JSON body and raises Fault."""

    def __init__(self, store: Store, registrar: Registrar) -> None:
        self._store = store
        self._registrar = registrar

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
            Route("GET", "/subjects", "subjects", READ, self.subjects),
            Route("POST", "/subjects/*", "lookup", READ, self.lookup),
            Route("GET", "/subjects/*/versions", "versions", READ, self.versions),
            Route("POST", "/subjects/*/versions", "register", WRITE, self.register),
            Route("GET", "/subjects/*/versions/*", "version", READ, self.version),
            Route("GET", "/subjects/*/versions/*/schema", "version_schema", READ, self.version_schema),
            Route("POST", "/compatibility/subjects/*/versions", "compatibility", READ, self.compatibility),
            Route("POST", "/compatibility/subjects/*/versions/*", "compatibility", READ, self.compatibility),
            Route("GET", "/config", "config", READ, self.config),
            Route("PUT", "/config", "config_set", ADMIN, self.config_set),
            Route("DELETE", "/config", "config_unset", ADMIN, self.config_unset),
            Route("GET", "/config/*", "config", READ, self.config),
            Route("PUT", "/config/*", "config_set", ADMIN, self.config_set),
            Route("DELETE", "/config/*", "config_unset", ADMIN, self.config_unset),
        ]

    async def root(self, _: Ask) -> Any:
        return {}

    async def types(self, _: Ask) -> Any:
        return ["AVRO"]

    async def schema(self, ask: Ask) -> Any:
        return {"schema": self._text(ask.segments[0])}

    async def schema_raw(self, ask: Ask) -> Any:
        return offer(self._text(ask.segments[0])).text.encode()

    async def schema_versions(self, ask: Ask) -> Any:
        schema_id = self._known_id(ask.segments[0])
        uses = self._store.uses(schema_id, deleted=ask.flag("deleted"))
        return [{"subject": version.subject, "version": version.number} for version in uses]

    async def schema_subjects(self, ask: Ask) -> Any:
        schema_id = self._known_id(ask.segments[0])
        uses = self._store.uses(schema_id, deleted=ask.flag("deleted"))
        return sorted({version.subject for version in uses})

    async def schemas(self, ask: Ask) -> Any:
        prefix = ask.query.get("subjectPrefix", "")
        deleted = ask.flag("deleted")
        listed: list[Version] = []
        for subject in self._store.subjects(deleted=deleted):
            if subject.startswith(prefix):
                versions = self._store.versions(subject, deleted=deleted)
                listed += versions[-1:] if ask.flag("latestOnly") else versions
        return [self._shown(version) for version in _page(listed, ask)]

    async def subjects(self, ask: Ask) -> Any:
        prefix = ask.query.get("subjectPrefix", "")
        names = [name for name in self._store.subjects(deleted=ask.flag("deleted")) if name.startswith(prefix)]
        return _page(names, ask)

    async def versions(self, ask: Ask) -> Any:
        return [version.number for version in self._versions(ask.segments[0], deleted=ask.flag("deleted"))]

    async def version(self, ask: Ask) -> Any:
        return self._shown(self._version(*ask.segments, deleted=ask.flag("deleted")))

    async def version_schema(self, ask: Ask) -> Any:
        version = self._version(*ask.segments, deleted=ask.flag("deleted"))
        return offer(self._text(str(version.id))).text.encode()

    async def lookup(self, ask: Ask) -> Any:
        (subject,) = ask.segments
        deleted = ask.flag("deleted")
        self._versions(subject, deleted=deleted)
        found = self._store.find(subject, _offered(ask).form, deleted=deleted)
        if found is None:
            raise faults.schema_not_found()
        return self._shown(found)

    async def register(self, ask: Ask) -> Any:
        (subject,) = ask.segments
        if not subject.strip() or not subject.isprintable():
            raise faults.invalid_subject(subject)
        version = await self._registrar.register(subject, _offered(ask))
        return {"id": version.id}

    async def compatibility(self, ask: Ask) -> Any:
        subject, *rest = ask.segments
        offered = _offered(ask)
        version = self._compared(subject, rest[0]) if rest else None
        unknown = bool(rest) and version is None
        found = [] if unknown else self._registrar.against(subject, offered, version)
        answer: dict[str, Any] = {"is_compatible": not found}
        if ask.flag("verbose"):
            answer["messages"] = [item.message_en for item in found]
        return answer

    def _compared(self, subject: str, number: str) -> Version | None:
        """The version to compare with; None if the latest of an unknown subject is asked for."""
        if number not in LATEST:
            _number(number)
        elif not self._store.versions(subject):
            return None
        try:
            return self._version(subject, number, deleted=False)
        except faults.Fault as fault:
            raise faults.version_not_found(number) if fault.code == 40401 else fault from fault

    async def config(self, ask: Ask) -> Any:
        if not ask.segments:
            return {"compatibilityLevel": (self._store.level(None) or DEFAULT_LEVEL).value}
        level = self._store.level(ask.segments[0])
        if level is None and ask.flag("defaultToGlobal"):
            level = self._store.effective_level(ask.segments[0])
        if level is None:
            raise faults.level_not_configured(ask.segments[0])
        return {"compatibilityLevel": level.value}

    async def config_set(self, ask: Ask) -> Any:
        given = ask.body.get("compatibility")
        if given not in Level.__members__:
            raise faults.invalid_level(given)
        await self._registrar.set_level(ask.segments[0] if ask.segments else None, Level(given))
        return {"compatibility": given}

    async def config_unset(self, ask: Ask) -> Any:
        subject = ask.segments[0] if ask.segments else None
        level = self._store.level(subject)
        if level is None and subject is not None:
            raise faults.level_not_configured(subject)
        if level is not None:
            await self._registrar.set_level(subject, None)
        return {"compatibilityLevel": (level or DEFAULT_LEVEL).value}

    def _shown(self, version: Version) -> dict[str, Any]:
        return {
            "subject": version.subject,
            "id": version.id,
            "version": version.number,
            "schema": self._text(str(version.id)),
        }

    def _known_id(self, given: str) -> int:
        self._text(given)
        return int(given)

    def _text(self, given: str) -> str:
        if not given.isascii() or not given.removeprefix("-").isdigit():
            raise faults.plain(404, "Not Found")
        text = self._store.text(int(given)) if len(given) <= len(str(MAX_VERSION)) else None
        if text is None:
            raise faults.schema_not_found(f"Schema {given}")
        return text

    def _versions(self, subject: str, *, deleted: bool) -> list[Version]:
        versions = self._store.versions(subject, deleted=deleted)
        if not versions:
            raise faults.subject_not_found(subject)
        return versions

    def _version(self, subject: str, given: str, *, deleted: bool) -> Version:
        number = None if given in LATEST else _number(given)
        versions = self._versions(subject, deleted=deleted)
        if number is None:
            return versions[-1]
        for version in versions:
            if version.number == number:
                return version
        raise faults.version_not_found(number)


def _number(given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > len(str(MAX_VERSION)):
        raise faults.invalid_version(given)
    if not 1 <= int(given) <= MAX_VERSION:
        raise faults.invalid_version(given)
    return int(given)


def _offered(ask: Ask) -> Offer:
    text = ask.body.get("schema")
    if not isinstance(text, str) or not text.strip():
        raise faults.invalid_request_schema("the schema is missing, empty or no text")
    if ask.body.get("schemaType") not in (None, "AVRO"):
        raise faults.invalid_request_schema(f"schemaType {ask.body['schemaType']!r} is not supported; send AVRO")
    if ask.body.get("references"):
        raise faults.invalid_request_schema("references are not supported; put the types into the schema")
    try:
        return offer(text, normalize=ask.flag("normalize"))
    except InvalidSchemaError as error:
        raise faults.invalid_schema(error) from error


def _page(items: list[Any], ask: Ask) -> list[Any]:
    offset = int(ask.query["offset"]) if ask.query.get("offset", "").isdecimal() else 0
    limit = int(ask.query["limit"]) if ask.query.get("limit", "").isdecimal() else None
    return items[offset : offset + limit] if limit else items[offset:]
