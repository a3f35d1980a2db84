"""Why a value does not fit: one constructor per reason, with the cure, in both languages and without the value."""

from __future__ import annotations

from connectors.errors import MappingError, Text

TYPES = {
    str: Text("chuỗi", "a text"),
    bool: Text("đúng/sai", "a boolean"),
    int: Text("số nguyên", "an integer"),
    float: Text("số thực", "a decimal number"),
    dict: Text("đối tượng", "an object"),
    list: Text("danh sách", "a list"),
    type(None): Text("rỗng", "null"),
}
_OTHER = Text("kiểu khác", "of another type")


def missing() -> MappingError:
    return MappingError(
        "missing",
        Text("thiếu giá trị bắt buộc", "the value is missing and needed"),
        Text("hệ thống nguồn phải gửi trường này", "the source system must send this field"),
    )


def misfit() -> MappingError:
    return MappingError(
        "misfit",
        Text("bản ghi không ánh xạ được", "the record cannot be mapped"),
        Text("kiểm tra cấu trúc bản ghi tại hệ thống nguồn", "check the record's structure at the source system"),
    )


def wrong_type(value: object, wanted: Text) -> MappingError:
    found = TYPES.get(type(value), _OTHER)
    return MappingError(
        "wrong_type",
        Text(f"giá trị là {found.vi}, cần {wanted.vi}", f"the value is {found.en}, {wanted.en} is needed"),
        Text("sửa kiểu dữ liệu tại hệ thống nguồn", "mend the type at the source system"),
    )


def out_of_range(low: object, high: object) -> MappingError:
    return MappingError(
        "out_of_range",
        Text(f"giá trị ngoài khoảng {low}…{high}", f"the value is outside {low}…{high}"),
        Text("sửa giá trị tại hệ thống nguồn", "mend the value at the source system"),
    )


def bad_format(shape: str) -> MappingError:
    return MappingError(
        "bad_format",
        Text(f"giá trị không đúng dạng {shape}", f"the value does not have the form {shape}"),
        Text("sửa giá trị tại nguồn hoặc mẫu trong ánh xạ", "mend the value at the source or the form in the mapping"),
    )


def bad_time(pattern: str) -> MappingError:
    return MappingError(
        "bad_time",
        Text(f"không đọc được thời gian theo dạng {pattern}", f"the time cannot be read as {pattern}"),
        Text("sửa giá trị tại nguồn hoặc dạng time trong ánh xạ", "mend the value at the source or the mapping's time"),
    )
