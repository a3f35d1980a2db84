"""Errors of the stream core.

StreamError
├── PlanError              a KPI file is wrong: mend the file
├── QuarantineUnwritableError   refused records have nowhere to go: stop, never skip
├── OwnershipLostError     another worker owns the partition: drop the batch, it will be redone there
│   └── FencedError            … and it took it over while a batch was in hand here: end the process
└── WarehouseError         the warehouse refused a statement: stop and say so
    └── WarehouseUnavailableError   it did not answer, or the answer was lost: send the identical block again
"""


class StreamError(Exception):
    """Root of this package's errors."""


class PlanError(StreamError):
    """A KPI declaration is wrong; the message names file, KPI and key."""


class QuarantineUnwritableError(StreamError):
    """The quarantine topic does not take a batch's refused records; going on would lose them."""


class OwnershipLostError(StreamError):
    """The partition belongs to another worker now."""


class StatesAheadError(StreamError):
    """Someone else went on with the partition; what is remembered of it is worthless."""


class WarehouseError(StreamError):
    """The warehouse refused; asking again unchanged is useless."""


class FencedError(OwnershipLostError, WarehouseError):
    """Another worker has taken over while this one took itself for the owner: it slept, or was cut off."""


class WarehouseUnavailableError(WarehouseError):
    """No answer, or an answer that says to come back later."""
