"""CSV as Vietnamese offices write it: four encodings, comma, semicolon, tab or bar, quotes that span lines. Pure."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice

from connectors.errors import MappingError, Text
from connectors.file_formats import Csv, FileRefusedError
from connectors.table import Batch
from connectors.table_rows import Layout, find_layout
from connectors.tcvn3 import decode_tcvn3

QUOTED_LINES = 50
"""A quoted value may span so many lines; a quote left open beyond swallows nothing but its own line."""
SAMPLE_LINES = 40
"""Lines looked at for the delimiter."""
DELIMITERS = (",", ";", "\t", "|")
BAD_SHARE = 0.05
"""More undecodable lines than this, and the whole file has another encoding than declared."""

Line = str | MappingError


def read_csv(data: bytes, form: Csv, rows: int) -> Iterator[Batch]:
    """The records in parts; see `read_batches`."""
    lines = _lines(data, form)
    delimiter = _delimiter(lines) if form.delimiter == "auto" else form.delimiter.replace("tab", "\t")
    reader = _Reader(lines, delimiter)
    _, layout = find_layout(reader.each(), form)
    return reader.batches(layout, rows)


class _Reader:
    """Goes through the lines once: a record at a time, or many at once where none of them has quotes."""

    def __init__(self, lines: Sequence[Line], delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._next = 0

    def each(self) -> Iterator[tuple[int, list[str] | MappingError]]:
        """Each record's cells with the number of its first line."""
        while self._next < len(self._lines):
            line = self._lines[self._next]
            self._next += 1
            number = self._next
            if not isinstance(line, str):
                yield number, line
            elif '"' not in line:
                if line:
                    yield number, line.split(self._delimiter)
            else:
                cells, taken = _quoted(self._lines, number - 1, self._delimiter)
                self._next += taken - 1
                yield number, cells

    def batches(self, layout: Layout, rows: int) -> Iterator[Batch]:
        """What is left, so many lines at once."""
        while self._next < len(self._lines):
            columns = self._columns(self._lines[self._next : self._next + rows], layout.width)
            if columns is None:
                yield layout.of_rows(islice(self.each(), rows))
                continue
            numbers = range(self._next + 1, self._next + len(columns[0]) + 1)
            self._next += len(numbers)
            yield layout.of_columns(numbers, columns)

    def _columns(self, lines: Sequence[Line], width: int) -> list[list[str]] | None:
        """The columns of lines that are all plain and of one width; None if they are not."""
        try:
            joined = self._delimiter.join(lines)  # type: ignore[arg-type]
        except TypeError:
            return None
        if '"' in joined or {line.count(self._delimiter) for line in lines} != {width - 1}:  # type: ignore[union-attr]
            return None
        cells = joined.split(self._delimiter)
        return [cells[column::width] for column in range(width)]


def _lines(data: bytes, form: Csv) -> list[Line]:
    """Decoded lines without their ends; a line that cannot be decoded is its error."""
    encoding = form.encoding
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        if encoding == "utf-16":
            return _split(data.decode("utf-16"))
        if encoding == "tcvn3":
            return _split(decode_tcvn3(data))
        if encoding == "windows-1258":
            return _split(_windows_1258(data))
        return _split(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _line_by_line(data, "cp1258" if encoding == "windows-1258" else "utf-8-sig", encoding)


def _windows_1258(data: bytes) -> str:
    """The text of a file declared as windows-1258, where some offices send UTF-8 all the same.

    UTF-8 is told by its bytes: Vietnamese words in windows-1258 are no valid UTF-8 but by an odd chance.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return unicodedata.normalize("NFC", data.decode("cp1258"))


def _line_by_line(data: bytes, codec: str, declared: str) -> list[Line]:
    lines: list[Line] = []
    bad = 0
    for raw in data.split(b"\n"):
        try:
            lines.append(unicodedata.normalize("NFC", raw.decode(codec)).removesuffix("\r"))
        except UnicodeDecodeError:
            bad += 1
            lines.append(_bad_encoding())
    if bad > BAD_SHARE * len(lines):
        raise FileRefusedError(
            "bad_encoding",
            Text(
                f"tệp không phải {'UTF-8' if declared == 'auto' else declared}",
                f"the file is not {'UTF-8' if declared == 'auto' else declared}",
            ),
            Text(
                "lưu lại dưới dạng «CSV UTF-8», hoặc khai encoding: windows-1258 hay tcvn3",
                "save it as “CSV UTF-8”, or declare encoding: windows-1258 or tcvn3",
            ),
        )
    return lines


def _split(text: str) -> list[Line]:
    lines: list[Line] = list(text.replace("\r\n", "\n").removesuffix("\r").split("\n"))
    return lines


def _bad_encoding() -> MappingError:
    return MappingError(
        "bad_encoding",
        Text("dòng có ký tự sai bảng mã", "the line has bytes that are not of the encoding"),
        Text("gõ lại dòng này rồi lưu dưới dạng «CSV UTF-8»", "type the line again and save as “CSV UTF-8”"),
    )


def _delimiter(lines: Sequence[Line]) -> str:
    """The mark that stands in most lines of the sample, and there most often."""
    sample = [line for line in lines[:SAMPLE_LINES] if isinstance(line, str) and line.strip()]

    def weight(mark: str) -> tuple[int, int]:
        counts = [line.count(mark) for line in sample]
        return sum(1 for count in counts if count), sum(counts)

    return max(DELIMITERS, key=weight)


def _quoted(lines: Sequence[Line], start: int, delimiter: str) -> tuple[list[str] | MappingError, int]:
    """A record that begins in a line with quotes, and how many lines it takes."""
    parts: list[str] = []
    for line in lines[start : start + QUOTED_LINES]:
        if not isinstance(line, str):
            break
        parts.append(line)
        if sum(part.count('"') for part in parts) % 2 == 0:
            try:
                rows = list(csv.reader(["\n".join(parts)], delimiter=delimiter, strict=True))
            except csv.Error:
                return _bad_quotes(), 1
            return (rows[0] if rows else []), len(parts)
    return _bad_quotes(), 1


def _bad_quotes() -> MappingError:
    return MappingError(
        "bad_quotes",
        Text("dấu ngoặc kép không đóng hoặc đặt sai chỗ", "a double quote is left open or stands in a wrong place"),
        Text('đóng ngoặc kép; viết "" cho ngoặc kép trong giá trị', 'close it; write "" for a quote inside a value'),
    )
