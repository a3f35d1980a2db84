"""Writes the code tables of the province: `python -m deploy.demo.make_codes OUT [DATASET.db]`. Deterministic.

`DATASET.db` is `vietnamadminunits/data/dataset.db` of the package vietnamadminunits 1.0.4 (MIT), and beside it lies
`converter_2025.json`; without it the tables of administrative units are left as they are. See schemas/codes/SOURCES.md.
"""

from __future__ import annotations

import csv
import json
import random
import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path

from deploy.demo.procedure_names import FIELDS, LICENCE_VERBS, LICENCES, VARIANTS, VERBS

ONLINE_PROCEDURES = 1213
OFFLINE_PROCEDURES = 600
PROCEDURES_FROM = "2021-01-01"
MERGER = "2025-07-01"
WRONG_SUCCESSORS = frozenset((("25462", "27694"),))
"""Of the data set: a part of ward 4 of Tây Ninh city would lie in Long An, 90 km away; it mixes up two wards 4."""
BEFORE_MERGER = "2025-06-30"

DEPARTMENTS = {
    "H53.01": "Văn phòng UBND tỉnh Tây Ninh",
    "H53.02": "Thanh tra tỉnh",
    "H53.03": "Công an tỉnh",
    "H53.04": "Sở Công Thương",
    "H53.05": "Sở Giáo dục và Đào tạo",
    "H53.06": "Sở Kế hoạch và Đầu tư",
    "H53.07": "Sở Khoa học và Công nghệ",
    "H53.08": "Sở Giao thông vận tải",
    "H53.09": "Sở Tư pháp",
    "H53.10": "Sở Lao động - Thương binh và Xã hội",
    "H53.11": "Sở Nông nghiệp và Phát triển nông thôn",
    "H53.12": "Sở Nội vụ",
    "H53.13": "Sở Tài chính",
    "H53.14": "Sở Tài nguyên và Môi trường",
    "H53.15": "Sở Thông tin và Truyền thông",
    "H53.16": "Sở Xây dựng",
    "H53.17": "Sở Văn hóa, Thể thao và Du lịch",
    "H53.18": "Sở Y tế",
    "H53.19": "Ban Quản lý Khu kinh tế",
}
DISTRICTS = {
    "H53.20": ("703", "UBND thành phố Tây Ninh"),
    "H53.21": ("705", "UBND huyện Tân Biên"),
    "H53.22": ("706", "UBND huyện Tân Châu"),
    "H53.23": ("707", "UBND huyện Dương Minh Châu"),
    "H53.24": ("708", "UBND huyện Châu Thành"),
    "H53.25": ("709", "UBND thị xã Hòa Thành"),
    "H53.26": ("710", "UBND huyện Gò Dầu"),
    "H53.27": ("711", "UBND huyện Bến Cầu"),
    "H53.28": ("712", "UBND thị xã Trảng Bàng"),
}
STATUSES = (
    (1, "Mới đăng ký", "Registered"),
    (2, "Được tiếp nhận", "Received"),
    (3, "Không được tiếp nhận", "Not accepted"),
    (4, "Đang xử lý", "In progress"),
    (5, "Yêu cầu bổ sung giấy tờ", "Supplement requested"),
    (6, "Thực hiện nghĩa vụ tài chính", "Financial obligation"),
    (7, "Công dân rút hồ sơ", "Withdrawn"),
    (8, "Dừng xử lý", "Stopped"),
    (9, "Đã xử lý xong", "Finished"),
    (10, "Đã trả kết quả", "Result returned"),
)


def _write(path: Path, header: str, rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def _names() -> list[tuple[str, str, str]]:
    """(name, field, org) of every procedure the vocabulary gives, the plainest first."""
    names = []
    for variant in VARIANTS:
        for verb in VERBS + LICENCE_VERBS:
            for field, (org, objects) in FIELDS.items():
                for item in objects.split("|"):
                    if verb in VERBS or item.lower().startswith(LICENCES):
                        names.append((f"{verb} {item}{variant}", field, org))
    return names


def procedures() -> list[tuple[str, str, str, int, int, str, str, str]]:
    rng = random.Random("procedures")
    names = _names()[: ONLINE_PROCEDURES + OFFLINE_PROCEDURES]
    if len(names) < ONLINE_PROCEDURES + OFFLINE_PROCEDURES:
        raise ValueError(f"the vocabulary gives {len(names)} procedures only")
    codes = rng.sample(range(1_000, 13_000), len(names))
    online = [1] * ONLINE_PROCEDURES + [0] * OFFLINE_PROCEDURES
    rng.shuffle(online)
    rows = []
    for (name, field, org), number, is_online in zip(names, codes, online, strict=True):
        level = rng.choice((3, 4, 4)) if is_online else 2
        code = f"{rng.choice((1, 1, 2))}.{number:06d}"
        rows.append((code, name, field, level, is_online, org, PROCEDURES_FROM, ""))
    return sorted(rows)


def orgs(wards_2025: list[tuple[str, str]]) -> list[tuple[str, str, str, str, str, str]]:
    """Departments, districts (until the merger) and communes (from the merger on)."""
    rows = [("H53", "UBND tỉnh Tây Ninh", "province", "", "2021-01-01", "")]
    rows += [(code, name, "department", "", "2021-01-01", "") for code, name in DEPARTMENTS.items()]
    rows += [(code, name, "district", unit, "2021-01-01", BEFORE_MERGER) for code, (unit, name) in DISTRICTS.items()]
    rows += [
        (f"H53.{number}", f"UBND {name[0].lower()}{name[1:]}", "commune", "", MERGER, "")
        for number, (_code, name) in enumerate(wards_2025, start=101)
    ]
    return rows


def admin_units(dataset: Path) -> list[tuple[str, str, str, str, str, float, float, str, str]]:
    query_old = (
        "SELECT DISTINCT {} FROM admin_units_legacy WHERE provinceCode = '72' AND wardCode IS NOT NULL ORDER BY 1"
    )
    query_new = "SELECT DISTINCT {} FROM admin_units WHERE provinceCode = '80' AND wardCode IS NOT NULL ORDER BY 1"
    old = ("2022", "2004-01-01", BEFORE_MERGER)
    new = ("2025", MERGER, "")
    connection = sqlite3.connect(f"file:{dataset}?mode=ro", uri=True)
    levels = (
        (query_old, "provinceCode, province, '', provinceLat, provinceLon", "province", old),
        (query_old, "districtCode, district, provinceCode, districtLat, districtLon", "district", old),
        (query_old, "wardCode, ward, districtCode, wardLat, wardLon", "ward", old),
        (query_new, "provinceCode, province, '', provinceLat, provinceLon", "province", new),
        (query_new, "wardCode, ward, provinceCode, wardLat, wardLon", "ward", new),
    )
    rows = []
    for query, columns, kind, (codeset, start, end) in levels:
        for code, name, parent, latitude, longitude in connection.execute(query.format(columns)):
            rows.append((code, name, kind, parent, codeset, latitude, longitude, start, end))
    connection.close()
    return rows


def successors(dataset: Path) -> list[tuple[str, str, str, str, int, str, str]]:
    """(old ward, old district, new ward, code set of the new one, whether it is the one to take, validity).

    A ward that was divided has several successors; the converter's default is the one to take where nothing more of an
    address is known.
    """
    converter = json.loads((dataset.parent / "converter_2025.json").read_text(encoding="utf-8"))
    connection = sqlite3.connect(f"file:{dataset}?mode=ro", uri=True)
    old = connection.execute(
        "SELECT DISTINCT provinceKey || '_' || districtKey || '_' || wardKey, wardCode, districtCode"
        " FROM admin_units_legacy WHERE provinceCode = '72' AND wardCode IS NOT NULL ORDER BY wardCode"
    ).fetchall()
    new = dict(connection.execute("SELECT DISTINCT wardKey, wardCode FROM admin_units WHERE provinceCode = '80'"))
    connection.close()
    province = next(key for key, olds in converter["DICT_PROVINCE"].items() if "tinhtayninh" in olds)
    whole = {each: key for key, olds in converter["DICT_PROVINCE_WARD_NO_DIVIDED"][province].items() for each in olds}
    divided = converter["DICT_PROVINCE_WARD_DIVIDED"].get(province, {})
    rows = []
    for key, code, district in old:
        found = [(whole[key], 1)] if key in whole else []
        found += [(each["newWardKey"], int(each["isDefaultNewWard"])) for each in divided.get(key, [])]
        if not found:
            raise ValueError(f"no successor of {key} ({code})")
        rows += [
            (code, district, new[ward], "2025", main, MERGER, "")
            for ward, main in found
            if (code, new[ward]) not in WRONG_SUCCESSORS
        ]
    return rows


def main(out: Path, dataset: Path | None) -> None:
    units_path = out / "admin_unit.csv"
    units_header = "code,name_vi,kind,parent,codeset,latitude,longitude,valid_from,valid_to"
    if dataset is not None:
        _write(units_path, units_header, admin_units(dataset))
        header = "code,district,successor,codeset,main,valid_from,valid_to"
        _write(out / "admin_unit_successor.csv", header, successors(dataset))
    with units_path.open(encoding="utf-8", newline="") as handle:
        wards = [
            (row["code"], row["name_vi"])
            for row in csv.DictReader(handle)
            if row["kind"] == "ward" and row["codeset"] == "2025"
        ]
    _write(out / "procedure.csv", "code,name_vi,field,level,online,org_code,valid_from,valid_to", procedures())
    _write(out / "org.csv", "code,name_vi,level,district,valid_from,valid_to", orgs(wards))
    statuses = [(code, vi, en, "2018-01-01", "") for code, vi, en in STATUSES]
    _write(out / "dossier_status.csv", "code,name_vi,name_en,valid_from,valid_to", statuses)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
