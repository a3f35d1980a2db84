"""What a new version of a code table changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.codes_table import CodeTable
from schemas.text import Text


@dataclass(frozen=True, slots=True)
class CodeChange:
    """`kind`: added, removed, changed. `column`: of a changed value; `before` and `after` are empty where there is
    none."""

    kind: str
    code: str
    valid_from: str
    column: str = ""
    before: str = ""
    after: str = ""

    def text(self) -> Text:
        """What it means for records."""
        if self.kind == "added":
            return Text(f"thêm, có hiệu lực từ {self.valid_from}", f"new, in force from {self.valid_from}")
        if self.kind == "removed":
            return Text(
                "bỏ hẳn: bản ghi cũ mang mã này không còn tên; hãy đặt valid_to thay vì xóa dòng",
                "taken out: older records with it lose its name; set valid_to instead of deleting the row",
            )
        return Text(
            f"{self.column}: «{self.before}» → «{self.after}»", f"{self.column}: “{self.before}” → “{self.after}”"
        )


def differences(old: CodeTable | None, new: CodeTable) -> list[CodeChange]:
    """The changes in the order of the codes. A column that only one of them has is compared with empty texts."""
    before = {} if old is None else {old.identity(row): dict(zip(old.columns, row, strict=True)) for row in old.rows}
    after = {new.identity(row): dict(zip(new.columns, row, strict=True)) for row in new.rows}
    found: list[CodeChange] = []
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was is None or now is None:
            found.append(CodeChange("added" if was is None else "removed", key[0], key[-1]))
            continue
        for column in dict.fromkeys((*was, *now)):
            one, other = was.get(column, ""), now.get(column, "")
            if one != other:
                found.append(CodeChange("changed", key[0], key[-1], column, one, other))
    return found
