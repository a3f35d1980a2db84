"""People who do not exist: Vietnamese names, citizen ids and phone numbers, and what they report."""

from __future__ import annotations

import random

import numpy as np
import polars as pl

_FAMILY = (
    "Nguyễn Nguyễn Nguyễn Nguyễn Trần Trần Lê Lê Phạm Huỳnh Huỳnh Phan Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý "
    "Đoàn Trương Mai Lâm Tô Cao Thái Châu Tạ Kiều"
)
FAMILY = _FAMILY.split()
_MIDDLE_MALE = "Văn Hữu Đức Minh Quốc Công Thanh Hoàng Anh Gia Tấn Trọng Xuân Nhật Phước Chí"
MIDDLE_MALE = _MIDDLE_MALE.split()
_MIDDLE_FEMALE = "Thị Ngọc Thu Kim Mỹ Thanh Bích Hồng Diễm Phương Thùy Kiều Tuyết Cẩm Yến Như"
MIDDLE_FEMALE = _MIDDLE_FEMALE.split()
_GIVEN_MALE = (
    "An Bình Cường Dũng Đạt Hải Hiếu Hòa Hùng Huy Khánh Khoa Lâm Long Lộc Nam Nghĩa Nhân Phát Phong Phú "
    "Phúc Quang Quân Sơn Tài Tâm Thành Thắng Thiện Thịnh Tiến Toàn Trí Trung Tuấn Tú Việt Vinh Vũ"
)
GIVEN_MALE = _GIVEN_MALE.split()
_GIVEN_FEMALE = (
    "Anh Châu Chi Dung Duyên Giang Hà Hạnh Hằng Hiền Hoa Hồng Huệ Hương Lan Liên Linh Loan Ly Mai My Nga "
    "Ngân Ngọc Nhi Nhung Oanh Phương Quyên Quỳnh Tâm Thảo Thủy Trang Trinh Trúc Tuyền Uyên Vân Yến"
)
GIVEN_FEMALE = _GIVEN_FEMALE.split()
_PHONE_PREFIXES = "086 096 097 098 032 033 034 035 036 037 038 039 090 093 070 077 078 079 091 094 083 084 085"
PHONE_PREFIXES = _PHONE_PREFIXES.split()

REPORTS: dict[str, tuple[str, ...]] = {
    "Môi trường": (
        "Bãi rác tự phát bốc mùi hôi cạnh khu dân cư",
        "Cơ sở xả nước thải ra kênh tiêu vào ban đêm",
        "Đốt rác gây khói bụi ảnh hưởng trường học",
    ),
    "Giao thông": (
        "Mặt đường xuất hiện nhiều ổ gà, nguy hiểm khi trời mưa",
        "Đèn tín hiệu tại giao lộ không hoạt động",
        "Xe tải chở đất đá rơi vãi trên đường",
    ),
    "Trật tự đô thị": (
        "Lấn chiếm vỉa hè buôn bán trước cổng chợ",
        "Karaoke loa kéo gây ồn sau 22 giờ",
        "Bảng quảng cáo che khuất tầm nhìn",
    ),
    "Hạ tầng kỹ thuật": (
        "Nắp cống bị vỡ trước nhà dân",
        "Đèn đường hỏng suốt một tuần",
        "Ngập nước cục bộ sau mưa lớn",
    ),
    "Điện, nước, viễn thông": ("Cúp nước không thông báo trước", "Dây cáp viễn thông sà xuống thấp"),
    "Y tế, an toàn thực phẩm": ("Quán ăn không bảo đảm vệ sinh", "Nhà thuốc bán sai giá niêm yết"),
    "Thủ tục hành chính": ("Hồ sơ quá hẹn chưa được trả kết quả", "Thái độ phục vụ chưa đúng mực"),
    "An ninh trật tự": ("Nhóm thanh niên tụ tập đua xe ban đêm", "Trộm cắp vặt tại khu trọ công nhân"),
}
"""Field of a report → what people write."""


def people(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """`count` people as columns name, cccd, phone. No phone ends in 000, so none can look like a time in ms."""
    female = rng.integers(0, 2, count)
    middle = MIDDLE_MALE + MIDDLE_FEMALE
    given = GIVEN_MALE + GIVEN_FEMALE
    middle_at = rng.integers(0, len(MIDDLE_MALE), count) + female * len(MIDDLE_MALE)
    given_at = rng.integers(0, len(GIVEN_MALE), count) + female * len(GIVEN_MALE)
    year = rng.integers(1950, 2005, count)
    frame = pl.DataFrame(
        {
            "family": pl.Series(FAMILY).gather(rng.integers(0, len(FAMILY), count)),
            "middle": pl.Series(middle).gather(middle_at),
            "given": pl.Series(given).gather(given_at),
            "sex": female + np.where(year >= 2000, 2, 0),
            "year": year % 100,
            "serial": rng.integers(0, 1_000_000, count),
            "prefix": pl.Series(PHONE_PREFIXES).gather(rng.integers(0, len(PHONE_PREFIXES), count)),
            "line": rng.integers(1_000, 10_000, count),
            "tail": rng.integers(1, 1_000, count),
        }
    )
    digits = [pl.col(name).cast(pl.String).str.zfill(width) for name, width in (("year", 2), ("serial", 6))]
    return frame.select(
        name=pl.concat_str("family", "middle", "given", separator=" "),
        cccd=pl.concat_str(pl.lit("072"), pl.col("sex").cast(pl.String), *digits),
        phone=pl.concat_str("prefix", pl.col("line").cast(pl.String), pl.col("tail").cast(pl.String).str.zfill(3)),
    )


def person(rng: random.Random) -> tuple[str, str, str]:
    """One person: name, citizen id, phone."""
    female = rng.random() < 0.5
    middle, given = (MIDDLE_FEMALE, GIVEN_FEMALE) if female else (MIDDLE_MALE, GIVEN_MALE)
    name = f"{rng.choice(FAMILY)} {rng.choice(middle)} {rng.choice(given)}"
    year = rng.randrange(1950, 2005)
    sex = int(female) + (2 if year >= 2000 else 0)
    cccd = f"072{sex}{year % 100:02d}{rng.randrange(1_000_000):06d}"
    return name, cccd, f"{rng.choice(PHONE_PREFIXES)}{rng.randrange(1_000, 10_000)}{rng.randrange(1, 1_000):03d}"
