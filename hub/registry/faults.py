"""What the registry answers when it refuses: HTTP status, Confluent's error code, a message.

Every fault is one class of value, since clients only look at the numbers; the functions name them.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.registry.records import Mode
from schemas.avro_parser import InvalidSchemaError
from schemas.compatibility import Level
from schemas.incompatibility import Incompatibility


class Fault(Exception):
    """A refused request. `message_vi` is given where people read it: at a refused schema."""

    def __init__(self, status: int, code: int, message: str, message_vi: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.message_vi = message_vi or message


def subject_not_found(subject: str) -> Fault:
    return Fault(404, 40401, f"Subject '{subject}' not found.")


def version_not_found(version: int | str) -> Fault:
    return Fault(404, 40402, f"Version {version} not found.")


def schema_not_found(what: str = "Schema") -> Fault:
    return Fault(404, 40403, f"{what} not found")


def subject_soft_deleted(subject: str) -> Fault:
    return Fault(404, 40404, f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently")


def subject_not_soft_deleted(subject: str) -> Fault:
    return Fault(
        404,
        40405,
        f"Subject '{subject}' was not deleted first before being permanently deleted; delete it without permanent=true",
    )


def version_soft_deleted(subject: str, version: int) -> Fault:
    return Fault(
        404,
        40406,
        f"Subject '{subject}' Version {version} was soft deleted. Set permanent=true to delete permanently",
    )


def version_not_soft_deleted(subject: str, version: int) -> Fault:
    return Fault(
        404,
        40407,
        f"Subject '{subject}' Version {version} was not deleted first before being permanently deleted; "
        "delete it without permanent=true",
    )


def level_not_configured(subject: str) -> Fault:
    return Fault(
        404,
        40408,
        f"Subject '{subject}' does not have subject-level compatibility configured; see defaultToGlobal=true",
    )


def mode_not_configured(subject: str) -> Fault:
    return Fault(
        404,
        40409,
        f"Subject '{subject}' does not have subject-level mode configured; see defaultToGlobal=true",
    )


def invalid_schema(error: InvalidSchemaError) -> Fault:
    return Fault(422, 42201, f"Invalid schema: {error}", f"Lược đồ không hợp lệ: {error}")


def invalid_request_schema(problem: str) -> Fault:
    return Fault(422, 42201, f"Invalid schema: {problem}")


def invalid_version(given: str) -> Fault:
    return Fault(
        422,
        42202,
        f"The specified version '{given}' is not a valid version id. "
        'Allowed values are between [1, 2^31-1] and the string "latest"',
    )


def invalid_level(given: object) -> Fault:
    known = ", ".join(level.value for level in Level)
    return Fault(422, 42203, f"Invalid compatibility level {given!r}. Valid values are {known}")


def invalid_mode(given: object) -> Fault:
    known = ", ".join(mode.value for mode in Mode)
    return Fault(
        422, 42204, f"Invalid mode {given!r}. Valid values are {known}; READONLY_OVERRIDE for all subjects only"
    )


def read_only(subject: str | None) -> Fault:
    what = "The registry" if subject is None else f"Subject '{subject}'"
    return Fault(422, 42205, f"{what} is in read-only mode; an administrator can PUT /mode READWRITE")


def not_permitted(subject: str, needed: str) -> Fault:
    return Fault(422, 42205, f"Subject '{subject}' is not {needed}; an id is given in import mode, and only there")


def import_over_existing(subject: str | None) -> Fault:
    what = "there are subjects" if subject is None else f"subject '{subject}' has versions"
    return Fault(422, 42205, f"Cannot import: {what} already; delete them permanently, or set force=true")


def id_is_taken(schema_id: int) -> Fault:
    return Fault(422, 42205, f"The id {schema_id} already stands for another schema; ids never change")


def version_is_taken(subject: str, version: int) -> Fault:
    return Fault(422, 42205, f"Version {version} of subject '{subject}' is another schema already")


def referenced(subject: str, version: int, by_subject: str, by_version: int) -> Fault:
    return Fault(
        422,
        42206,
        f"One or more references exist to the schema {subject} version {version}, "
        f"by version {by_version} of subject '{by_subject}'; delete that one first (permanently, if this one shall be)",
    )


def invalid_subject(subject: str) -> Fault:
    return Fault(422, 42208, f"The subject {subject!r} is not valid: it must not be empty or hold control characters")


def incompatible(subject: str, found: Sequence[Incompatibility], level: Level) -> Fault:
    head = f"Schema being registered is incompatible with an earlier schema for subject '{subject}'"
    head_vi = f"Lược đồ không tương thích với phiên bản trước của «{subject}»"
    return Fault(
        409,
        409,
        f"{head}; compatibility level {level.value}: " + "; ".join(item.told_en for item in found),
        f"{head_vi}; mức tương thích {level.value}: " + "; ".join(item.told_vi for item in found),
    )


def not_comparable(subject: str, version: int, cause: InvalidSchemaError) -> Fault:
    return Fault(409, 409, f"Version {version} of subject '{subject}' cannot be compared with: {cause}")


def plain(status: int, reason: str) -> Fault:
    """A fault of HTTP itself: the code is the status."""
    return Fault(status, status, f"HTTP {status} {reason}")


def bad_body(problem: str) -> Fault:
    return Fault(400, 400, f"The body is not understood: {problem}")


def bad_query(name: str, given: str) -> Fault:
    return Fault(400, 400, f"The parameter {name} is a number, not {given[:40]!r}")


def unauthorized() -> Fault:
    return Fault(
        401,
        401,
        "A key is needed: Authorization: Bearer KEY, or basic authentication with the key as the password "
        "(basic.auth.user.info=NAME:KEY, any name); `ioc key create` makes one",
        "Cần có khóa: Authorization: Bearer KHÓA, hoặc xác thực cơ bản với khóa làm mật khẩu "
        "(basic.auth.user.info=TÊN:KHÓA, tên tùy ý); tạo bằng `ioc key create`",
    )


def forbidden() -> Fault:
    return Fault(403, 403, "This key may not do that", "Khóa này không được phép làm việc đó")


def not_your_subject(subject: str, unit: str) -> Fault:
    return Fault(
        403,
        403,
        f"A key of unit {unit} may not do that with {subject!r}: its connectors do not write it, or not alone",
        f"Khóa của đơn vị {unit} không được làm việc đó với «{subject}»: "
        "đầu nối của đơn vị không ghi thực thể này, hoặc đơn vị khác cũng ghi",
    )


LOG_AWAY = 50001
FORWARDING_FAILED = 50003
LEADER_UNKNOWN = 50004


def forwarding_failed(cause: str) -> Fault:
    return Fault(503, FORWARDING_FAILED, f"The registry that writes could not be asked: {cause}. Try again")


def leader_unknown() -> Fault:
    return Fault(503, LEADER_UNKNOWN, "No registry may write at this moment; one is being elected. Try again")


def log_away(cause: str) -> Fault:
    return Fault(503, LOG_AWAY, f"The registry's log cannot be used now: {cause}. Try again")
