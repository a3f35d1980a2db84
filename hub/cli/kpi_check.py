"""`ioc kpi check`: KPI files before they run. Needs no running stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.context import settings
from hub.cli.declared import read_declared
from hub.cli.output import Exit, leave, say
from hub.language import t

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.declarations import Declarations


def register_check(kpi: typer.Typer) -> None:
    """Add to the noun `kpi`."""
    kpi.command(
        "check",
        help=t(
            "Kiểm tra tệp chỉ số của một thư mục: cú pháp, kiểu, chạy thử trên giá trị biên; mã thoát 3 nếu sai."
            "\n\nVí dụ:  ioc kpi check ./kpis",
            "Check the KPI files of a directory: syntax, types, a trial on edge values; exit code 3 if wrong."
            "\n\nExample:  ioc kpi check ./kpis",
        ),
    )(check)


def check(directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", exists=True, file_okay=False)]) -> None:
    from streams.plan import faults_in

    config = settings()
    declared = read_declared(config)
    files = sorted(directory.glob("*.yaml"))
    if not files:
        leave(Exit.USAGE, t(f"{directory}: không có tệp *.yaml", f"{directory}: there are no *.yaml files"))
    faults = [str(error) for error in faults_in(dict(declared.contracts), directory)]
    faults = faults or _thrown(config, declared, directory)
    if faults:
        leave(Exit.CHECK_FAILED, "\n".join(faults))
    say(t(f"Đúng: {len(files)} tệp", f"All right: {len(files)} files"))


def _thrown(config: Settings, declared: Declarations, directory: Path) -> list[str]:
    """What a definition of these files throws on edge values; it would stop its entity."""
    from streams.plan import load_plans
    from streams.warehouse.schema import targets
    from streams.warehouse.trial import trial

    plans = load_plans(dict(declared.contracts), directory)
    own = {entity: plan for entity, plan in plans.items() if plan.kpis}
    contracts = {entity: declared.contracts[entity] for entity in own}
    found = []
    with trial() as attempt:
        for target in targets(contracts, own, config.timezone):
            thrown = attempt(target)
            if thrown is not None:
                found.append(
                    t(
                        f"{target.entity}.yaml: {target.name}: biểu thức lỗi với giá trị biên: {thrown}\n  Hãy dùng hàm"
                        " …OrNull, accurateCastOrNull, và không chia trực tiếp",
                        f"{target.entity}.yaml: {target.name}: an expression fails on an edge value: {thrown}\n  Write"
                        " functions …OrNull, accurateCastOrNull, and no bare division",
                    )
                )
    return found
