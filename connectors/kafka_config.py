"""What a manifest says about a source of kind `kafka`. Titles and descriptions become the form."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connectors.declaration import Resolvable, Secret, Section
from connectors.form import about


class JsonValues(Section):
    type: Literal["json"]


class AvroValues(Section):
    """Confluent wire format: the schema's id in front, the schema in `registry`."""

    type: Literal["avro"]
    registry: Resolvable = about("Địa chỉ kho lược đồ", "Schema registry")
    token: Secret | None = about("Thẻ truy cập kho lược đồ", "Token of the registry", default=None)


class Sasl(Section):
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = about(
        "Cơ chế", "Mechanism", default="SCRAM-SHA-512"
    )
    username: Secret = about("Tên đăng nhập", "User name")
    password: Secret = about("Mật khẩu", "Password")


class Config(Section):
    """The block `source` of a manifest of kind `kafka`: one topic of a department's own cluster.

    No consumer group is made or moved there: the offsets are the connector's position.
    """

    bootstrap_servers: Resolvable = about("Máy chủ khởi đầu", "Bootstrap servers")
    topic: str = about("Chủ đề", "Topic")
    values: Annotated[JsonValues | AvroValues, Field(discriminator="type")] = about("Dạng bản tin", "Values")
    sasl: Sasl | None = about("Đăng nhập SASL", "SASL login", default=None)
    tls: bool = about("Mã hóa TLS", "TLS", default=False)
    ca: Resolvable | None = about("Chứng chỉ CA (nội dung PEM)", "CA certificate (PEM text)", default=None)
    start: Literal["earliest", "latest"] = about("Đọc từ", "Read from", default="earliest")
    page_size: int = about("Số bản tin mỗi trang", "Messages per page", default=5_000, gt=0, le=100_000)
    poll_interval_s: float = about("Nghỉ giữa hai lần đọc (giây)", "Rest between reads (s)", default=0.05, gt=0)
