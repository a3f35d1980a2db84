"""Refused pushes as problem+json (RFC 9457): stable types, titles in Vietnamese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from connectors.errors import Text

MEDIA_TYPE = "application/problem+json"
TYPE_ROOT = "/problems/"


class ProblemType(Enum):
    """Slug, HTTP status and title of every refusal. Clients depend on slugs and statuses: they never change."""

    UNKNOWN_CONNECTOR = ("unknown-connector", 404, Text("Không có đầu nối này", "No such connector"))
    BODY_TOO_LARGE = ("body-too-large", 413, Text("Nội dung quá lớn", "Body too large"))
    NOT_JSON = ("not-json", 400, Text("Nội dung không phải JSON hợp lệ", "Body is not valid JSON"))
    MISSING_SIGNATURE = ("missing-signature", 401, Text("Thiếu chữ ký", "Signature missing"))
    WRONG_SIGNATURE = ("wrong-signature", 401, Text("Chữ ký sai", "Wrong signature"))
    STALE_TIMESTAMP = ("stale-timestamp", 401, Text("Thời điểm ký ngoài giới hạn", "Timestamp out of bounds"))
    REPLAYED_NONCE = ("replayed-nonce", 409, Text("Yêu cầu đã được nhận trước đó", "Request already received"))
    SIGNED_BEFORE_START = (
        "signed-before-start",
        503,
        Text("Ký trước khi dịch vụ khởi động lại", "Signed before the service restarted"),
    )
    UNTAGGED = ("untagged-personal-data", 422, Text("Dữ liệu cá nhân chưa gắn nhãn", "Untagged personal data"))
    OVERLOADED = ("overloaded", 503, Text("Đang quá tải", "Overloaded"))
    NOT_READY = ("connector-not-ready", 503, Text("Đầu nối chưa sẵn sàng", "Connector not ready"))
    RESTING = ("connector-paused", 503, Text("Đầu nối đang tạm dừng", "Connector paused"))
    TOPIC_HELD = ("topic-held", 503, Text("Chủ đề đang được thêm phân vùng", "Topic is getting more partitions"))
    KAFKA_AWAY = ("kafka-unavailable", 503, Text("Chưa ghi được vào Kafka", "Kafka has not acknowledged"))

    @property
    def slug(self) -> str:
        return self.value[0]

    @property
    def status(self) -> int:
        return self.value[1]

    @property
    def title(self) -> Text:
        return self.value[2]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused request: what, why and how to mend it."""

    type: ProblemType
    detail: Text
    retry_after_s: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class RequestRefusedError(Exception):
    """A request is refused; nothing of it was taken."""

    def __init__(
        self,
        problem: ProblemType,
        detail: Text,
        retry_after_s: int | None = None,
        **extra: str | int | list[str] | None,
    ) -> None:
        super().__init__(problem.slug)
        self.refusal = Refusal(problem, detail, retry_after_s, extra)


def language_of(accept_language: str, default: str = "vi") -> str:
    """`vi` or `en`, the first of them with the highest weight in Accept-Language."""
    best, best_weight = default, 0.0
    for part in accept_language.lower().split(","):
        tag, _, weight_text = part.strip().partition(";q=")
        language = tag.split("-")[0]
        try:
            weight = float(weight_text) if weight_text else 1.0
        except ValueError:
            continue
        if language in {"vi", "en"} and weight > best_weight:
            best, best_weight = language, weight
    return best


def render(
    refusal: Refusal, language: str, instance: str, request_id: str | None = None
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the answer; its status is the type's."""
    body: dict[str, Any] = {
        "type": TYPE_ROOT + refusal.type.slug,
        "title": refusal.type.title.to(language),
        "status": refusal.type.status,
        "detail": refusal.detail.to(language),
        "instance": instance,
        "request_id": request_id,
        **refusal.extra,
    }
    headers = {"Content-Type": MEDIA_TYPE, "Content-Language": language, "Vary": "Accept-Language"}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    return orjson.dumps(body), headers
