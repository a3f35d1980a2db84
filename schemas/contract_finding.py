"""What the linter finds in a contract: rule, place, problem and cure in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `path` is the field's name, with an attribute behind a dot, empty for the record; `line` counts
    from 1; `rule` is stable."""

    file: str
    line: int
    path: str
    rule: str
    problem_vi: str
    problem_en: str
    cure_vi: str
    cure_en: str

    def problem(self, language: str) -> str:
        """What is wrong, in `vi` or `en`."""
        return self.problem_en if language == "en" else self.problem_vi

    def cure(self, language: str) -> str:
        """What to do about it, in `vi` or `en`."""
        return self.cure_en if language == "en" else self.cure_vi


def finding(file: str, line: int, path: str, rule: str, **values: Any) -> Finding:
    """A finding of a rule of `RULES`, its texts filled with `values`."""
    texts = (text.format(**values) for text in RULES[rule])
    return Finding(file, line, path, rule, *texts)


RULES: dict[str, tuple[str, str, str, str]] = {
    "unreadable": ("{vi}", "{en}", "sửa tệp rồi kiểm tra lại", "mend the file, then lint again"),
    "doc-vi": (
        "thiếu mô tả tiếng Việt",
        "no Vietnamese description",
        'thêm "{key}": "…"',
        'add "{key}": "…"',
    ),
    "doc-en": (
        "thiếu mô tả tiếng Anh, hoặc nó giống hệt tiếng Việt",
        "no English description, or it is the Vietnamese one",
        'thêm "{key}": "…"',
        'add "{key}": "…"',
    ),
    "pii-untagged": (
        "tên hoặc mô tả giống dữ liệu cá nhân ({suggested}) nhưng không có nhãn",
        "name or description look like personal data ({suggested}), and there is no tag",
        'thêm "pii": "{suggested}", hoặc "pii": "none" nếu không phải dữ liệu cá nhân',
        'add "pii": "{suggested}", or "pii": "none" if it is not personal',
    ),
    "pii-class": (
        "nhãn {found} không phải lớp dữ liệu cá nhân",
        "{found} is no class of personal data",
        "dùng basic, sensitive hoặc none",
        "use basic, sensitive or none",
    ),
    "pii-key": (
        "trường phong bì không được mang dữ liệu cá nhân: khóa phải sống lâu hơn khóa bí danh",
        "a field of the envelope carries no personal data: a key outlives the pseudonyms' key",
        "dùng mã nội bộ của hệ thống nguồn",
        "use the source system's own number",
    ),
    "pii-aggregate": (
        "hợp đồng tổng hợp (aggregate) không được có dữ liệu cá nhân",
        "an aggregate contract has no personal data",
        "bỏ trường này; bộ kết nối chỉ gửi số đếm",
        "take the field away; the connector sends counts only",
    ),
    "unit-missing": (
        "là số nhưng không có đơn vị",
        "is a number without a unit",
        'thêm "unit" (chẳng hạn "VND"), "unit_field" hoặc "codes"',
        'add "unit" (such as "VND"), "unit_field" or "codes"',
    ),
    "unit-unknown": (
        "đơn vị {found} chưa có trong danh sách",
        "the unit {found} is not listed",
        "dùng {near}, hoặc thêm đơn vị vào schemas/units.py",
        "use {near}, or add the unit to schemas/units.py",
    ),
    "unit-field": (
        "unit_field trỏ tới {found}, không phải trường chuỗi nào của hợp đồng",
        "unit_field names {found}, which is no text field of the contract",
        "trỏ tới trường ghi đơn vị của từng bản ghi",
        "name the field that says the unit record by record",
    ),
    "enum-default": (
        "enum không có giá trị mặc định UNKNOWN: giá trị mới của nguồn sẽ không đọc được",
        "an enum without the default UNKNOWN: a source's new value could not be read",
        'thêm "UNKNOWN" vào symbols và "default": "UNKNOWN"',
        'add "UNKNOWN" to the symbols and "default": "UNKNOWN"',
    ),
    "name-reserved": (
        "tên dành riêng cho trục tích hợp",
        "the name is kept for the hub",
        "đổi tên, chẳng hạn {near}",
        "choose another, such as {near}",
    ),
    "name-form": (
        "tên {found} không theo dạng chuẩn",
        "the name {found} has not the usual form",
        "viết {near}",
        "write {near}",
    ),
    "role": (
        "dấu role phải là {wanted}",
        "its role mark must be {wanted}",
        'viết "role": {wanted}',
        'write "role": {wanted}',
    ),
    "role-unknown": (
        "role {found} không có nghĩa ở đây",
        "the role {found} has no meaning here",
        "bỏ role; chỉ trường phong bì có dấu này",
        "take the role away; only the envelope has such marks",
    ),
    "codes-unknown": (
        "không có bảng mã {found}",
        "there is no code table {found}",
        "dùng {near}, hoặc thêm schemas/codes/{name}.csv",
        "use {near}, or add schemas/codes/{name}.csv",
    ),
    "example-missing": (
        "chuỗi không có ví dụ",
        "a text without an example",
        'thêm "examples": ["…"]',
        'add "examples": ["…"]',
    ),
    "example-wrong": (
        "ví dụ {found} không phải giá trị hợp lệ: {why}",
        "the example {found} is no valid value: {why}",
        "sửa ví dụ",
        "mend the example",
    ),
    "range-wrong": (
        "min và max phải là số, min không lớn hơn max, và chỉ ở trường số",
        "min and max are numbers, min not above max, and only numbers have them",
        "sửa hoặc bỏ min, max",
        "mend min and max or take them away",
    ),
    "attribute-unknown": (
        "không có thuộc tính {found}",
        "there is no attribute {found}",
        "có phải {near}?",
        "did you mean {near}?",
    ),
}
"""By rule: the problem in Vietnamese and English, the cure in Vietnamese and English."""
