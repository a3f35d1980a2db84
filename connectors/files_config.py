"""What a manifest of kind `files` says about its source."""

from __future__ import annotations

from connectors.file_config import Pickup
from connectors.file_formats import Format
from connectors.form import about


class Config(Pickup):
    """The block `source` of a manifest of kind `files`."""

    format: Format = about("Dạng tệp", "Format")
    page_size: int = about("Số dòng mỗi trang", "Rows per page", default=5_000, gt=0, le=100_000)
