"""What every small system does with its ledger: history at the first start, then live events, written before sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from deploy.demo.ledger import LiveEvent, LiveLog, Origin, Raw, open_history, read_live
from deploy.demo.live import Case, Performance
from deploy.demo.pulse import Pulse
from deploy.demo.simulation import Stage


class Emitter:
    """`history` and `past` are what earlier starts emitted; `send` gets each new live record once it is on disk.

    `write_history`: asked at the first start only · `begin`: the live case with a number.
    """

    def __init__(
        self,
        stage: Stage,
        write_history: Callable[[Origin], Iterable[Raw]],
        begin: Callable[[int], Case],
        send: Callable[[Raw], None],
    ) -> None:
        origin, state, system = stage.origin, stage.site.state, stage.site.system
        self.history = open_history(state, system, lambda: write_history(origin))
        self.past: list[LiveEvent] = list(read_live(state, system))
        self._send = send
        self._log = LiveLog(state, system)
        self._performance = Performance(self._log, origin.seed, begin, self.past)
        self._pulse = Pulse(stage.live_rate, self._emit)
        stage.pulses.append(self._pulse)

    def _emit(self) -> None:
        self._send(self._performance.emit(int(time.time())).raw)

    async def run(self) -> None:
        """Emit until cancelled."""
        try:
            await self._pulse.run()
        finally:
            self._log.close()
