"""Worked cases of the calendar, reckoned by hand with a wall calendar: no line was taken from the program's output."""

from __future__ import annotations

TERMS = """
# An ordinary week: Monday is 22 August 2022.
office     | 2022-08-22 07:00 | working_hours 8    | 2022-08-22 17:00
office     | 2022-08-22 07:00 | working_hours 4.5  | 2022-08-22 11:30
office     | 2022-08-22 07:00 | working_hours 5    | 2022-08-22 14:00
office     | 2022-08-22 10:00 | working_hours 2    | 2022-08-22 14:00
office     | 2022-08-22 12:00 | working_hours 1    | 2022-08-22 14:30
office     | 2022-08-22 05:00 | working_hours 1    | 2022-08-22 08:00
# After hours starts the next morning; midnight belongs to the day it begins.
office     | 2022-08-22 16:30 | working_hours 1    | 2022-08-23 07:30
office     | 2022-08-22 17:00 | working_hours 1    | 2022-08-23 08:00
office     | 2022-08-22 18:45 | working_hours 0.5  | 2022-08-23 07:30
office     | 2022-08-22 23:59 | working_days 1     | 2022-08-23 17:00
office     | 2022-08-23 00:00 | working_hours 1    | 2022-08-23 08:00
# Weekends.
office     | 2022-08-26 16:00 | working_hours 2    | 2022-08-29 08:00
office     | 2022-08-27 09:00 | working_hours 1    | 2022-08-29 08:00
office     | 2022-08-28 23:59 | working_days 1     | 2022-08-29 17:00
office     | 2022-08-22 10:00 | working_days 5     | 2022-08-29 10:00
# National day 2022: Thursday 1 and Friday 2 September.
office     | 2022-08-31 09:00 | working_days 1     | 2022-09-05 09:00
office     | 2022-08-31 16:00 | working_hours 2    | 2022-09-05 08:00
office     | 2022-09-01 08:00 | working_days 1     | 2022-09-05 17:00
# Tết 2022: from Saturday 29 January to Sunday 6 February.
office     | 2022-01-28 16:00 | working_days 1     | 2022-02-07 16:00
office     | 2022-01-27 10:00 | working_days 5     | 2022-02-10 10:00
office     | 2022-02-01 09:00 | working_hours 1    | 2022-02-07 08:00
office     | 2022-01-28 17:00 | working_days 3     | 2022-02-09 17:00
# New year 2022 on a Saturday: Monday 3 January instead.
office     | 2021-12-31 15:00 | working_days 1     | 2022-01-04 15:00
# The Hùng kings' day 2022 on a Sunday: Monday 11 April instead.
office     | 2022-04-08 14:00 | working_days 1     | 2022-04-12 14:00
# 30/4 and 1/5 of 2022 on a weekend: Monday 2 and Tuesday 3 May instead.
office     | 2022-04-29 08:00 | working_days 1     | 2022-05-04 08:00
office     | 2022-04-29 16:30 | working_hours 1    | 2022-05-04 07:30
# New year 2023 on a Sunday; Tết 2023 from Friday 20 to Thursday 26 January.
office     | 2022-12-30 10:00 | working_days 1     | 2023-01-03 10:00
office     | 2023-01-19 09:00 | working_days 1     | 2023-01-27 09:00
office     | 2023-01-19 09:00 | working_days 2     | 2023-01-30 09:00
office     | 2023-01-25 10:00 | working_hours 8    | 2023-01-27 17:00
# The bridge of 2023: Saturday 29 April (Hùng kings) to Wednesday 3 May.
office     | 2023-04-28 16:00 | working_hours 2    | 2023-05-04 08:00
office     | 2023-04-28 10:00 | working_days 5     | 2023-05-10 10:00
# National day 2023: Friday 1, Saturday 2, Monday 4 September instead of the Saturday.
office     | 2023-08-31 15:00 | working_days 1     | 2023-09-05 15:00
# Tết 2024: Thursday 8 to Wednesday 14 February.
office     | 2024-02-07 10:00 | working_days 1     | 2024-02-15 10:00
office     | 2024-02-07 16:00 | working_days 10    | 2024-02-28 16:00
# The leap day of 2024 is a Thursday.
office     | 2024-02-28 16:00 | working_hours 2    | 2024-02-29 08:00
office     | 2024-02-29 16:00 | working_days 1     | 2024-03-01 16:00
office     | 2024-02-28 10:00 | days 1             | 2024-02-29 10:00
office     | 2024-02-28 10:00 | days 2             | 2024-03-01 10:00
office     | 2024-02-29 23:30 | hours 24           | 2024-03-01 23:30
office     | 2023-02-28 23:30 | minutes 45         | 2023-03-01 00:15
# The Hùng kings' day 2024: Thursday 18 April.
office     | 2024-04-17 09:00 | working_days 1     | 2024-04-19 09:00
# Monday 29 April 2024 is off and Saturday 4 May is worked for it; 30/4 and 1/5 between them.
office     | 2024-04-26 09:00 | working_days 1     | 2024-05-02 09:00
office     | 2024-04-26 09:00 | working_days 3     | 2024-05-04 09:00
office     | 2024-04-26 16:00 | working_days 4     | 2024-05-06 16:00
office     | 2024-05-03 16:30 | working_hours 1    | 2024-05-04 07:30
office     | 2024-05-04 16:00 | working_hours 2    | 2024-05-06 08:00
# National day 2024: Monday 2 and Tuesday 3 September.
office     | 2024-08-30 17:00 | working_hours 8    | 2024-09-04 17:00
# New year 2025: a Wednesday; Tết 2025 from Monday 27 to Friday 31 January.
office     | 2024-12-31 16:00 | working_hours 2    | 2025-01-02 08:00
office     | 2025-01-24 14:00 | working_days 2     | 2025-02-04 14:00
office     | 2025-01-24 16:45 | working_hours 0.5  | 2025-02-03 07:15
office     | 2025-04-04 08:30 | working_days 1     | 2025-04-08 08:30
# Saturday 26 April 2025 is worked for Friday 2 May.
office     | 2025-04-25 10:00 | working_days 1     | 2025-04-26 10:00
office     | 2025-04-25 10:00 | working_days 3     | 2025-04-29 10:00
office     | 2025-04-29 10:00 | working_days 1     | 2025-05-05 10:00
office     | 2025-08-29 10:00 | working_days 1     | 2025-09-03 10:00
# Friday 2 January 2026 is off, Saturday 10 January is worked for it.
office     | 2025-12-31 16:00 | working_days 1     | 2026-01-05 16:00
office     | 2026-01-09 16:00 | working_days 2     | 2026-01-12 16:00
# Tết 2026: Monday 16 to Friday 20 February.
office     | 2026-02-13 11:00 | working_days 1     | 2026-02-23 11:00
office     | 2026-02-12 15:00 | working_days 10    | 2026-03-05 15:00
# Monday 27 April 2026 for the Hùng kings (a Sunday), then Thursday 30 April and Friday 1 May.
office     | 2026-04-24 09:00 | working_days 3     | 2026-05-04 09:00
# Saturday 22 August 2026 is worked for Monday 31 August; Tuesday 1 and Wednesday 2 September are off.
office     | 2026-08-21 10:00 | working_days 1     | 2026-08-22 10:00
office     | 2026-08-28 10:00 | working_days 1     | 2026-09-03 10:00
# The day of culture 2026: Tuesday 24 November.
office     | 2026-11-23 10:00 | working_days 1     | 2026-11-25 10:00
# Calendar days do not care, unless they are to end on a working day.
office     | 2022-01-28 16:00 | days 5             | 2022-02-02 16:00
office     | 2022-01-28 16:00 | days 5 roll        | 2022-02-07 07:00
office     | 2022-08-03 09:00 | days 10 roll       | 2022-08-15 07:00
office     | 2022-08-22 10:00 | days 1 roll        | 2022-08-23 10:00
# The one-stop shop works on Saturdays from 7:30 to 11:30, and a whole Saturday where one is swapped.
one-stop   | 2022-08-26 16:00 | working_hours 2    | 2022-08-27 08:30
one-stop   | 2022-08-27 11:00 | working_hours 1    | 2022-08-29 07:30
one-stop   | 2024-05-03 16:00 | working_days 1     | 2024-05-04 16:00
# What runs round the clock knows no holidays; its day has 24 hours.
continuous | 2022-02-01 10:00 | working_days 1     | 2022-02-02 10:00
continuous | 2022-01-31 23:30 | working_hours 1    | 2022-02-01 00:30
"""

WORKED = """
office     | 2022-08-22 07:00 | 2022-08-22 17:00 | 8
office     | 2022-08-22 11:30 | 2022-08-22 13:30 | 0
office     | 2022-08-26 16:00 | 2022-08-29 08:00 | 2
office     | 2022-01-28 17:00 | 2022-02-07 07:00 | 0
office     | 2024-04-26 17:00 | 2024-05-06 07:00 | 24
office     | 2025-04-25 17:00 | 2025-05-05 07:00 | 24
office     | 2024-02-01 00:00 | 2024-03-01 00:00 | 128
office     | 2024-01-01 00:00 | 2025-01-01 00:00 | 2008
office     | 2022-08-23 08:00 | 2022-08-22 16:00 | -2
one-stop   | 2022-08-22 00:00 | 2022-08-29 00:00 | 44
continuous | 2022-01-28 00:00 | 2022-02-07 00:00 | 240
"""

OPENINGS = """
office     | 2022-08-22 07:00 | 2022-08-22 07:00
office     | 2022-08-22 11:30 | 2022-08-22 13:30
office     | 2022-08-26 17:00 | 2022-08-29 07:00
office     | 2022-01-28 17:00 | 2022-02-07 07:00
office     | 2024-05-03 18:00 | 2024-05-04 07:00
office     | 2025-12-31 17:00 | 2026-01-05 07:00
one-stop   | 2022-08-26 17:00 | 2022-08-27 07:30
continuous | 2022-02-01 03:14 | 2022-02-01 03:14
"""

FEEDBACK = """
# urgency | received       | extensions | due
URGENT  | 2022-01-28 16:00 | 0 | 2022-01-29 16:00
URGENT  | 2024-02-28 12:00 | 1 | 2024-03-01 12:00
NORMAL  | 2022-01-28 16:00 | 0 | 2022-02-11 16:00
NORMAL  | 2022-08-19 10:00 | 1 | 2022-09-06 10:00
NORMAL  | 2022-08-19 10:00 | 7 | 2022-09-06 10:00
NORMAL  | 2022-08-20 10:00 | 0 | 2022-08-26 17:00
COMPLEX | 2025-04-25 10:00 | 0 | 2025-05-13 10:00
"""

PAUSED = """
# start          | term            | paused from      | until            | due
2022-08-22 10:00 | working_days 3  | 2022-08-23 08:00 | 2022-08-25 08:00 | 2022-08-29 10:00
2022-01-27 10:00 | working_days 3  | 2022-01-28 10:00 | 2022-02-08 10:00 | 2022-02-10 10:00
2022-08-26 10:00 | working_days 1  | 2022-08-26 18:00 | 2022-08-29 06:00 | 2022-08-29 10:00
2022-08-01 09:00 | days 10         | 2022-08-03 09:00 | 2022-08-05 09:00 | 2022-08-13 09:00
2022-08-22 10:00 | working_hours 1 | 2022-08-22 09:00 | 2022-08-22 13:30 | 2022-08-22 14:30
2022-08-22 10:00 | working_hours 1 | 2022-08-23 09:00 | 2022-08-24 09:00 | 2022-08-22 11:00
"""


def rows(table: str) -> list[tuple[str, ...]]:
    """The lines of a table as cells; comments left out."""
    lines = [line for line in table.strip().splitlines() if not line.startswith("#")]
    return [tuple(cell.strip() for cell in line.split("|")) for line in lines]
