"""One pushed connector in a process that takes pushes: who may push, and whether it takes anything now."""

from __future__ import annotations

import structlog

from connectors import metrics
from connectors.configs import TargetState
from connectors.errors import ConnectorError, SourceUnavailableError, Text
from connectors.intake import Intake, IntakeFactory
from connectors.manifest import Manifest
from connectors.problem import ProblemType, RequestRefusedError
from connectors.signature import Verifier
from connectors.status import Tally
from connectors.webhook_config import Config as WebhookConfig
from schemas.errors import RegistryError

RESTING_RETRY_S = 30
"""When a sender may ask again whether a paused connector takes records."""
_RESTING = Text(
    "Đầu nối đang tạm dừng; hãy giữ lại và gửi sau", "The connector is paused; keep the records and send them later"
)

log = structlog.get_logger("ioc.connectors")


class Endpoint:
    """One pushed connector: who may push, and what becomes of it."""

    def __init__(
        self, manifest: Manifest, tally: Tally, verifier: Verifier | None, broken: ConnectorError | None
    ) -> None:
        self.manifest = manifest
        self.tally = tally
        self.verifier = verifier
        self.broken = broken
        self.intake: Intake | None = None
        self.config: WebhookConfig = manifest.source
        self.accepted = metrics.INGEST_REQUESTS.labels(manifest.id, "accepted")
        self.resting: TargetState | None = None
        """Paused or stopped, if it is not to take anything now."""

    def rest(self, state: TargetState) -> None:
        """Take records (`running`), or ask senders to keep them for later."""
        self.resting = None if state == "running" else state
        if state != "running":
            self.tally.enter(state)
        elif self.broken is None:
            self.tally.enter("running")

    def ready(self) -> tuple[Verifier, Intake]:
        """What a request needs; RequestRefusedError while it is not there."""
        if self.resting is not None:
            raise RequestRefusedError(ProblemType.RESTING, _RESTING, retry_after_s=RESTING_RETRY_S)
        if self.verifier is None or self.intake is None:
            detail = self.broken.text if self.broken else Text("Đang khởi động", "Starting")
            raise RequestRefusedError(ProblemType.NOT_READY, detail, retry_after_s=2)
        return self.verifier, self.intake

    async def open(self, intakes: IntakeFactory) -> None:
        """Get the schema's id; `broken` tells why that was not possible."""
        try:
            self.intake = await intakes.open(self.manifest)
            self.broken = None
        except SourceUnavailableError as error:
            self.broken = error
        except RegistryError as error:
            self.broken = ConnectorError(
                Text("Kho lược đồ từ chối hợp đồng dữ liệu", "The schema registry refuses the contract")
            )
            log.warning("contract_refused", connector=self.manifest.id, reason=str(error))
