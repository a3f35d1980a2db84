"""The declarations as a command starts from them; what is wrong with a file ends the process with its cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.output import Exit, leave
from hub.language import LANGUAGE, t

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.declarations import Declarations


def read_declared(config: Settings) -> Declarations:
    """Contracts, KPIs, code tables and manifests; ends the process with exit code 2 where one of them is wrong."""
    from connectors.errors import ManifestError
    from hub.declarations import load_declarations
    from schemas.errors import ContractError, DeclarationError
    from streams.errors import PlanError

    try:
        return load_declarations(config)
    except ContractError as error:
        leave(Exit.USAGE, t(f"Hợp đồng dữ liệu sai: {error.vi}", f"A contract is wrong: {error}"))
    except (ManifestError, DeclarationError) as error:
        leave(Exit.USAGE, error.text.to(LANGUAGE))
    except PlanError as error:
        leave(Exit.USAGE, str(error))
