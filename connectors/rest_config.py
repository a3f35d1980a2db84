"""What a manifest says about a source of kind `rest`. Titles and descriptions become the form."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from connectors.declaration import Resolvable, Secret, Section
from connectors.form import about


class OAuth2(Section):
    type: Literal["oauth2_client_credentials"]
    token_path: str = about("Đường dẫn cấp thẻ", "Token path")
    client_id: Secret = about("Mã ứng dụng", "Client id")
    client_secret: Secret = about("Mật khẩu ứng dụng", "Client secret")
    scope: str | None = about("Phạm vi", "Scope", default=None)


class ApiKey(Section):
    """A key in a header (after `prefix`, such as `Bearer `) or in a request parameter."""

    type: Literal["api_key"]
    where: Literal["header", "query"] = about("Nơi đặt khóa", "Where the key goes", default="header")
    name: str = about("Tên tiêu đề hoặc tham số", "Name of the header or parameter", default="X-API-Key")
    prefix: str = about("Chữ đứng trước khóa", "Text before the key", default="")
    value: Secret = about("Khóa", "Key")


class Basic(Section):
    type: Literal["basic"]
    username: Secret = about("Tên đăng nhập", "User name")
    password: Secret = about("Mật khẩu", "Password")


Auth = Annotated[OAuth2 | ApiKey | Basic, Field(discriminator="type")]


class OnePage(Section):
    """The whole list comes in one answer."""

    type: Literal["none"]


class TokenPaging(Section):
    """`next`: where the answer names the next page's token; `param`: where the request repeats it."""

    type: Literal["token"]
    param: str = about("Tham số mã trang", "Parameter of the page token")
    next: str = about("Nơi trả lời ghi mã trang sau", "Where the answer names the next token")


class PageNumber(Section):
    """Pages counted from `first`; the walk ends with a page that brings nothing new."""

    type: Literal["page"]
    param: str = about("Tham số số trang", "Parameter of the page number")
    first: int = about("Số của trang đầu", "Number of the first page", default=1, ge=0, le=1)


class Offset(Section):
    """Pages by the number of records before them; the walk ends with a page that brings nothing new."""

    type: Literal["offset"]
    param: str = about("Tham số vị trí", "Parameter of the offset")


class RecordCursor(Section):
    """The next page begins after the last record: its `field` goes into `param`."""

    type: Literal["cursor"]
    param: str = about("Tham số «sau bản ghi»", "Parameter “after record”")
    field: str = about("Trường của bản ghi", "Field of the record")


class LinkHeader(Section):
    """RFC 8288: the answer's header `Link: <…>; rel="next"`."""

    type: Literal["link_header"]


Paging = Annotated[OnePage | TokenPaging | PageNumber | Offset | RecordCursor | LinkHeader, Field(discriminator="type")]


class PageSize(Section):
    param: str = about("Tham số cỡ trang", "Parameter of the page size")
    value: int = about("Số bản ghi mỗi trang", "Records per page", gt=0, le=100_000)


class TimeCursor(Section):
    """`field`: change time in a record; `id`: its event id; `param`: request parameter, start included.

    Each read begins `lookback_s` before the newest change seen, for changes that became visible late. `format`:
    `iso` (RFC 3339), `epoch_s`, `epoch_ms`, or a strptime pattern of local time. `sorted`: the source gives the
    oldest change first; if not, the position moves only when all pages have been read.
    """

    field: str = about("Trường thời điểm thay đổi", "Field of the change time")
    id: str = about("Trường mã sự kiện", "Field of the event id")
    param: str = about("Tham số «từ thời điểm»", "Parameter “changed since”")
    start: AwareDatetime = about("Đọc từ", "Read from")
    lookback_s: float = about("Đọc lùi (giây)", "Look back (seconds)", default=0, ge=0, le=86_400)
    format: str = about("Dạng thời gian", "Form of the time", default="iso")
    sorted: bool = about("Nguồn xếp theo thời điểm thay đổi", "The source sorts by change time", default=True)


class Config(Section):
    """The block `source` of a manifest of kind `rest`.

    `records`: where the answer keeps the list, parts separated by dots; `units[].reports` gathers the lists in
    every element of a list, and `keep` copies keys of those elements into their records; empty: the answer itself.
    """

    base_url: Resolvable = about("Địa chỉ hệ thống", "Base address")
    path: str = about("Đường dẫn", "Path")
    params: dict[str, str] = about("Tham số cố định", "Fixed parameters", default_factory=dict)
    headers: dict[str, str] = about("Tiêu đề cố định", "Fixed headers", default_factory=dict)
    auth: Auth | None = about("Đăng nhập", "Authentication", default=None)
    records: str = about("Nơi trả lời giữ danh sách", "Where the answer keeps the list", default="")
    keep: tuple[str, ...] = about("Khóa lấy từ phần tử bao ngoài", "Keys kept from enclosing elements", default=())
    paging: Paging = about("Phân trang", "Paging")
    page_size: PageSize | None = about("Cỡ trang", "Page size", default=None)
    cursor: TimeCursor | None = about("Đọc phần thay đổi", "Read what changed", default=None)
    conditional: bool = about("Hỏi có điều kiện (ETag)", "Conditional requests (ETag)", default=True)
    max_requests_per_s: float | None = about(
        "Số lần hỏi tối đa mỗi giây", "Most requests per second", default=None, gt=0
    )
    poll_interval_s: float = about("Nghỉ giữa hai lần đọc (giây)", "Rest between reads (seconds)", gt=0)
