"""What the interface answers when it refuses: HTTP status and Kafka Connect's `{error_code, message}`."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.errors import Text
from connectors.trial import Objection


class Fault(Exception):
    """A refused request. Kafka Connect's error code is the status. `headers` go into the answer."""

    def __init__(self, status: int, text: Text, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(text.en)
        self.status = status
        self.text = text
        self.headers = headers


def plain(status: int, reason: str) -> Fault:
    """A fault of HTTP itself."""
    text = f"HTTP {status} {reason}"
    return Fault(status, Text(text, text))


def unauthorized() -> Fault:
    return Fault(
        401,
        Text(
            "Cần có khóa: Authorization: Bearer KHÓA, hoặc khóa làm mật khẩu của xác thực cơ bản",
            "A key is needed: Authorization: Bearer KEY, or the key as the password of basic authentication",
        ),
        ((b"www-authenticate", b'Bearer realm="ioc", Basic realm="ioc"'),),
    )


def forbidden() -> Fault:
    return Fault(403, Text("Khóa này không được phép làm việc đó", "This key may not do that"))


def foreign_org(org: str, own: str) -> Fault:
    return Fault(
        403,
        Text(
            f"«owner.org» là {org}; khóa này chỉ được đăng ký đầu nối của {own} và cấp dưới",
            f"“owner.org” is {org}; this key may only register connectors of {own} and below",
        ),
    )


def not_found(connector: str) -> Fault:
    return Fault(404, Text(f"Không có đầu nối {connector}", f"Connector {connector} not found"))


def task_not_found(connector: str, task: str) -> Fault:
    return Fault(
        404,
        Text(f"Đầu nối {connector} không có tác vụ {task}", f"Task {connector}-{task} not found"),
    )


def exists(connector: str) -> Fault:
    return Fault(409, Text(f"Đã có đầu nối {connector}", f"Connector {connector} already exists"))


def bad_request(vi: str, en: str) -> Fault:
    return Fault(400, Text(vi, en))


def invalid_config(plugin: str, errors: Sequence[Text]) -> Fault:
    """All that is wrong with a config, a line each."""
    count = len(errors)
    listed_vi, listed_en = ("\n".join(text.to(language) for text in errors) for language in ("vi", "en"))
    return Fault(
        400,
        Text(
            f"Cấu hình đầu nối không hợp lệ, có {count} lỗi:\n{listed_vi}\n"
            f"Có thể xem danh sách này ở `/connector-plugins/{plugin}/config/validate`",
            f"Connector configuration is invalid and contains the following {count} error(s):\n{listed_en}\n"
            f"You can also find the above list of errors at the endpoint `/connector-plugins/{plugin}/config/validate`",
        ),
    )


def may_not_go_live(objections: Sequence[Objection]) -> Fault:
    """What the source's own records, or its address, say against a manifest: a line each, with the path."""
    count = len(objections)
    listed_vi, listed_en = (
        "\n".join(f"{one.path}: {one.text.to(language)}" if one.path else one.text.to(language) for one in objections)
        for language in ("vi", "en")
    )
    return Fault(
        400,
        Text(
            f"Chưa được đưa vào chạy, có {count} lý do:\n{listed_vi}",
            f"This may not go live, for {count} reason(s):\n{listed_en}",
        ),
    )


def kafka_away(text: Text) -> Fault:
    return Fault(503, text, ((b"retry-after", b"2"),))
