"""What a manifest says about a source of kind `sql`. Titles and descriptions become the form."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, StrictStr, model_validator

from connectors.declaration import MisdeclaredError, Resolvable, Secret, Section
from connectors.form import about

_PASSWORD = re.compile(r"//[^/@]*:[^/@]+@")


class Incremental(Section):
    """Rows in the order of (`time`, `key`), from the last position on, rows of the same time included.

    `time`: a column that grows with every change (a time or a number); `key`: columns that are unique together.
    Each read begins `lookback_s` before the newest change, for transactions that commit late.
    """

    mode: Literal["incremental"]
    time: str = about("Cột thời điểm thay đổi", "Column of the change time")
    key: tuple[str, ...] = about("Các cột khóa", "Key columns", min_length=1)
    start: StrictInt | StrictStr | None = about("Đọc từ", "Read from", default=None)
    lookback_s: float = about("Đọc lùi (giây)", "Look back (seconds)", default=0, ge=0, le=604_800)


class Snapshot(Section):
    """The whole table at each read; only rows that changed are passed on, rows that vanished as `_op: DELETE`.

    A deleted row's record holds the `key` columns and those of `keep`, as they last were. If more than the share
    `most_deleted` of at least 20 rows vanish at once, nothing is deleted and the operator is asked.
    """

    mode: Literal["snapshot"]
    key: tuple[str, ...] = about("Các cột khóa", "Key columns", min_length=1)
    keep: tuple[str, ...] = about("Các cột giữ lại cho dòng bị xóa", "Columns kept for deleted rows", default=())
    most_deleted: float = about("Tỷ lệ xóa tối đa", "Largest share deleted at once", default=0.5, gt=0, le=1)


Reading = Annotated[Incremental | Snapshot, Field(discriminator="mode")]


class Config(Section):
    """The block `source` of a manifest of kind `sql`: a table or view, or a query, of one database.

    `url`: `postgresql://host/database`, `mssql+pymssql://…`, `oracle+oracledb://…` or `sqlite:////path`, without
    user and password.
    """

    url: Resolvable = about("Địa chỉ cơ sở dữ liệu", "Database address")
    username: Secret | None = about("Tên đăng nhập", "User name", default=None)
    password: Secret | None = about("Mật khẩu", "Password", default=None)
    table: str | None = about("Bảng hoặc view", "Table or view", default=None)
    query: str | None = about("Câu truy vấn SELECT", "SELECT query", default=None)
    read: Reading = about("Cách đọc", "How to read")
    page_size: int = about("Số dòng mỗi trang", "Rows per page", default=5_000, gt=0, le=100_000)
    statement_timeout_s: float = about("Thời hạn một câu lệnh (giây)", "Time-out of a statement (s)", default=60, gt=0)
    poll_interval_s: float = about("Nghỉ giữa hai lần đọc (giây)", "Rest between reads (seconds)", default=60, gt=0)

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise MisdeclaredError("cần đúng một trong table và query", "needs exactly one of table and query")
        if _PASSWORD.search(self.url.template):
            raise MisdeclaredError(
                "có mật khẩu trong url, không được ghi trong tệp; hãy dùng khóa username và password",
                "has a password in url, which may not stand in the file; use the keys username and password",
            )
        return self
