"""What the registry answers when it refuses: HTTP status, Confluent's error code, a message.

Every fault is one class of value, since clients only look at the numbers; the functions name them.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.avro_parser import InvalidSchemaError
from schemas.compatibility import Incompatibility, Level


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


def level_not_configured(subject: str) -> Fault:
    return Fault(
        404,
        40408,
        f"Subject '{subject}' does not have subject-level compatibility configured; see defaultToGlobal=true",
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


def invalid_subject(subject: str) -> Fault:
    return Fault(422, 42208, f"The subject {subject!r} is not valid: it must not be empty or hold control characters")


def incompatible(subject: str, found: Sequence[Incompatibility], level: Level) -> Fault:
    head = f"Schema being registered is incompatible with an earlier schema for subject '{subject}'"
    head_vi = f"Lược đồ không tương thích với phiên bản trước của «{subject}»"
    return Fault(
        409,
        409,
        f"{head}; compatibility level {level.value}: " + "; ".join(item.message_en for item in found),
        f"{head_vi}; mức tương thích {level.value}: " + "; ".join(item.message_vi for item in found),
    )


def plain(status: int, reason: str) -> Fault:
    """A fault of HTTP itself: the code is the status."""
    return Fault(status, status, f"HTTP {status} {reason}")


def bad_body(problem: str) -> Fault:
    return Fault(400, 400, f"The body is not understood: {problem}")


def unauthorized() -> Fault:
    return Fault(
        401,
        401,
        "A key is needed: Authorization: Bearer KEY, or the key as the password of basic authentication",
        "Cần có khóa: Authorization: Bearer KHÓA, hoặc khóa làm mật khẩu của xác thực cơ bản",
    )


def forbidden() -> Fault:
    return Fault(403, 403, "This key may not do that", "Khóa này không được phép làm việc đó")


def log_away(cause: str) -> Fault:
    return Fault(503, 50001, f"The registry's log cannot be used now: {cause}. Try again")
