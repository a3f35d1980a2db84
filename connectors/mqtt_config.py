"""What a manifest says about a source of kind `mqtt`. Titles and descriptions become the form."""

from __future__ import annotations

from pydantic import Field

from connectors.declaration import Resolvable, Secret, Section
from connectors.form import about


class Config(Section):
    """The block `source` of a manifest of kind `mqtt`.

    `topics`: filters, `+` for one level, `#` for all below. `topic_keys`: key of the record → level of the topic
    (from 0) it is read from. `client_id`: names the session at the broker; by default `ioc-` and the connector's id.
    """

    host: Resolvable = about("Máy chủ", "Host")
    port: int | Resolvable = about("Cổng", "Port", default=8883)
    tls: bool = about("Mã hóa TLS", "TLS", default=True)
    ca: Resolvable | None = about("Chứng chỉ CA (nội dung PEM)", "CA certificate (PEM text)", default=None)
    username: Secret | None = about("Tên đăng nhập", "User name", default=None)
    password: Secret | None = about("Mật khẩu", "Password", default=None)
    topics: tuple[str, ...] = about("Chủ đề", "Topics", min_length=1)
    topic_keys: dict[str, int] = about("Khóa lấy từ chủ đề", "Keys read from the topic", default_factory=dict)
    client_id: str | None = about("Mã phiên", "Session id", default=None)
    session_days: float = about("Giữ phiên (ngày)", "Keep the session (days)", default=7, gt=0, le=365)
    page_size: int = about("Số bản tin mỗi trang", "Messages per page", default=1_000, gt=0, le=30_000)
    poll_interval_s: float = Field(0.01, gt=0, title="Nghỉ giữa hai lần đọc (giây)", description="Rest between reads")
