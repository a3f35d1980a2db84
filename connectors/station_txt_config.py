"""What a manifest of kind `station_txt` says about its source."""

from __future__ import annotations

from pydantic import Field

from connectors.file_config import Pickup
from connectors.form import about


class Config(Pickup):
    """The block `source` of a manifest of kind `station_txt`."""

    pattern: str = Field("*.txt", title="Mẫu tên tệp", description="File name pattern")
    recursive: bool = Field(True, title="Cả thư mục con", description="Subdirectories too")
    page_files: int = about("Số tệp mỗi trang", "Files per page", default=500, gt=0, le=5_000)
    incomplete_s: float = about("Chờ tệp dở dang (giây)", "Wait for an incomplete file (s)", default=600, ge=0)
