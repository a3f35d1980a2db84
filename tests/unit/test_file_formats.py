"""Tables as offices write them: encodings, marks, titles, merged headers, totals; every bad row by its number."""

from __future__ import annotations

import io
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import MappingError
from connectors.file_formats import Csv, FileRefusedError, JsonLines, Xlsx, read_batches, read_rows
from connectors.table_rows import as_number
from connectors.tcvn3 import decode_tcvn3, encode_tcvn3

COLUMNS = {"Mã điểm": "ma", "Doanh thu": "doanh_thu"}


def csv(**more: Any) -> Csv:
    return Csv.model_validate({"type": "csv", "columns": COLUMNS, **more})


def records(data: bytes, form: Any) -> list[Any]:
    return [value for _, value in read_rows(data, form) if not isinstance(value, MappingError)]


def faults(data: bytes, form: Any) -> list[tuple[int, str]]:
    return [(number, value.code) for number, value in read_rows(data, form) if isinstance(value, MappingError)]


TEXT = "Mã điểm;Doanh thu\r\nNúi Bà Đen;1.250.000,5\r\nHồ Dầu Tiếng;0\r\n"
WANTED = [{"ma": "Núi Bà Đen", "doanh_thu": 1250000.5}, {"ma": "Hồ Dầu Tiếng", "doanh_thu": 0}]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "auto"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "auto"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "auto"),
        (TEXT.encode("utf-16"), "utf-16"),
        (encode_tcvn3(TEXT), "tcvn3"),
    ],
)
def test_the_encodings_of_offices_are_read(data: bytes, encoding: str) -> None:
    assert records(data, csv(encoding=encoding, numbers=["doanh_thu"], decimal=",")) == WANTED


def test_windows_1258_is_composed() -> None:
    # Windows writes â and a combining mark; what comes out is one letter, as people type it elsewhere.
    data = "Ma\u0303 điê\u0309m,Doanh thu\nTây Ninh,5\n".encode("cp1258")
    assert records(data, csv(encoding="windows-1258", numbers=["doanh_thu"])) == [{"ma": "Tây Ninh", "doanh_thu": 5}]


@given(st.text("àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵĂÂĐÊÔƠƯabcXYZ 0-9;,."))
def test_tcvn3_goes_both_ways(text: str) -> None:
    assert decode_tcvn3(encode_tcvn3(text)) == text


def test_another_encoding_than_declared_is_refused_as_a_whole_with_the_cure() -> None:
    with pytest.raises(FileRefusedError) as caught:
        read_rows(encode_tcvn3(TEXT * 3), csv())
    assert "tcvn3" in caught.value.reason.en and "windows-1258" in caught.value.reason.vi


def test_one_line_with_broken_bytes_is_refused_alone() -> None:
    lines = [b"Doanh thu,M\xc3\xa3 \xc4\x91i\xe1\xbb\x83m"] + [b"1,a"] * 30 + [b"2,\xff\xfe"] + [b"3,b"]
    assert faults(b"\n".join(lines), csv()) == [(32, "bad_encoding")]
    assert len(records(b"\n".join(lines), csv())) == 31


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(mark: str) -> None:
    data = mark.join(["Mã điểm", "Doanh thu"]) + "\n" + mark.join(["A", "1"]) + "\n"
    assert records(data.encode(), csv()) == [{"ma": "A", "doanh_thu": "1"}]


def test_titles_blank_rows_and_totals_are_no_records() -> None:
    data = "SỞ VĂN HÓA;;\nBÁO CÁO THÁNG 8;;\n;;\n mã  ĐIỂM ;Doanh thu;Ghi chú\nA;1;\n;;\nTỔNG CỘNG:;1;\n"
    assert records(data.encode(), csv()) == [{"ma": "A", "doanh_thu": "1", "Ghi chú": ""}]


def test_quotes_span_lines_and_row_numbers_hold() -> None:
    data = 'Mã điểm,Doanh thu\n"A\nB",1\nC,"x ""y"", z"\nD,1,2\n'
    assert records(data.encode(), csv()) == [{"ma": "A\nB", "doanh_thu": "1"}, {"ma": "C", "doanh_thu": 'x "y", z'}]
    assert faults(data.encode(), csv()) == [(5, "too_many_cells")]


def test_a_quote_left_open_costs_its_own_line_only() -> None:
    data = 'Mã điểm,Doanh thu\nA,1\n"B,2\n' + "".join(f"C{number},3\n" for number in range(200))
    assert faults(data.encode(), csv()) == [(3, "bad_quotes")]
    assert len(records(data.encode(), csv())) == 201


def test_missing_columns_are_named_with_those_like_them() -> None:
    with pytest.raises(FileRefusedError, match="Doanh thu") as caught:
        read_rows("Mã điểm;Doanh thuu\nA;1\n".encode(), csv())
    assert "Doanh thuu" in caught.value.reason.vi


def test_without_declared_columns_the_first_row_of_texts_names_them() -> None:
    form = Csv.model_validate({"type": "csv"})
    assert records(b"B\xc3\xa1o c\xc3\xa1o\nma,don.vi,,ma\n1,2,3,4\n", form) == [
        {"ma": "1", "don_vi": "2", "ma#2": "4"}
    ]


def test_short_rows_are_filled_with_nothing() -> None:
    assert records("Mã điểm,Doanh thu\nA\n".encode(), csv()) == [{"ma": "A", "doanh_thu": None}]


LINES = st.sampled_from(
    ["A;1;", "B;2;x", "C;1.250,5;", "D", "E;1;2;3", "", ";;", "Tổng cộng;9;", '"F;F";4;', '"G\nG";5;', '"H;6;']
)


@given(st.lists(LINES, max_size=12), st.integers(1, 7), st.sampled_from(["\n", "\r\n"]))
def test_parts_of_any_size_give_the_same_rows(lines: list[str], size: int, end: str) -> None:
    data = end.join(["Mã điểm;Doanh thu;Ghi chú", *lines]).encode()
    form = csv(numbers=["doanh_thu"], decimal=",", delimiter=";")
    one_by_one, in_parts = ([(n, repr(v)) for n, v in read_rows(data, form, each)] for each in (1, size))
    assert in_parts == one_by_one
    batches = list(read_batches(data, form, size))
    for skipped in range(len(one_by_one) + 1):
        left, rest = skipped, []
        for batch in batches:
            rest += batch.after(left).in_order()
            left -= batch.rows
        assert [(number, repr(value)) for number, value in rest] == one_by_one[skipped:]


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("1.234.567,5", ",", 1234567.5),
        ("1 234", ",", 1234),
        ("12,5", ",", 12.5),
        ("1,234,567.5", ".", 1234567.5),
        ("-7", ".", -7),
        ("1.2.3", ",", "1.2.3"),
        ("12,34,5", ".", "12,34,5"),
        ("khoảng 5", ",", "khoảng 5"),
        ("", ",", ""),
    ],
)
def test_numbers_are_read_by_the_declared_mark(text: str, decimal: str, number: Any) -> None:
    assert as_number(text, decimal) == number


def workbook(fill: Any) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "default_date_format": "dd/mm/yyyy"}) as book:
        fill(book)
    return buffer.getvalue()


def test_a_merged_group_header_names_its_columns() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("T8")
        sheet.merge_range("A1:D1", "BÁO CÁO")
        sheet.merge_range("A2:A3", "Mã điểm")
        sheet.merge_range("B2:C2", "Lượt khách")
        sheet.write_row("B3", ["Trong nước", "Quốc tế"])
        sheet.write_row("A4", ["A", 12, 3.5])

    columns = {"Mã điểm": "ma", "Lượt khách / Trong nước": "noi", "Lượt khách / Quốc tế": "ngoai"}
    form = Xlsx.model_validate({"type": "xlsx", "header_rows": 2, "columns": columns})
    assert [*read_rows(workbook(fill), form)] == [(4, {"ma": "A", "noi": 12, "ngoai": 3.5})]


def test_dates_and_whole_numbers_of_a_workbook_are_plain() -> None:
    import datetime

    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.write_row("B3", ["Mã điểm", "Doanh thu", "Ngày"])
        sheet.write("B4", "A")
        sheet.write("C4", 1_250_000)
        sheet.write_datetime("D4", datetime.date(2022, 8, 23))

    found = [*read_rows(workbook(fill), Xlsx.model_validate({"type": "xlsx", "columns": COLUMNS}))]
    assert [(number, value["ma"], value["doanh_thu"], value["Ngày"][:10]) for number, value in found] == [
        (4, "A", 1_250_000, "2022-08-23")
    ]


@pytest.mark.parametrize(
    ("data", "sheet", "message"),
    [
        (b"PK\x03\x04 not really", "", "no Excel workbook"),
        (b"<html><table></table></html>", "", "no Excel workbook"),
        (b"", "", "no Excel workbook"),
        (workbook(lambda book: book.add_worksheet("T7")), "T8", "no sheet “T8”; the sheets are: T7"),
        (workbook(lambda book: book.add_worksheet("T8")), "t8 ", "no header row"),
    ],
)
def test_what_is_wrong_with_a_workbook_is_said(data: bytes, sheet: str, message: str) -> None:
    with pytest.raises(FileRefusedError, match=message):
        read_rows(data, Xlsx.model_validate({"type": "xlsx", "sheet": sheet, "columns": COLUMNS}))


def test_json_lines_are_judged_one_by_one() -> None:
    data = b'\xef\xbb\xbf{"a": 1}\n\n{"a": \n[1]\n{"a": 2}'
    form = JsonLines(type="jsonl")
    assert records(data, form) == [{"a": 1}, {"a": 2}]
    assert faults(data, form) == [(3, "not_json"), (4, "not_json")]
