"""Alert rules and channels as they are declared: the models of `rules:` and `channels:` in a YAML file."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from connectors.secrets import Reference
from hub.health.states import ABNORMAL
from schemas.calendar_files import OFFICE
from schemas.declaration import BilingualText, MisdeclaredError, Section, unknown_key

ID = r"^[a-z0-9][a-z0-9._-]{0,62}$"

Severity = Literal["page", "ticket"]
Limit = float | Literal["plan"]
PeriodName = Literal["today", "month", "year"]


class AlertOwner(Section):
    """Who answers for what the rule finds; `org` bounds who of the departments sees it."""

    unit: str = Field(min_length=1)
    contact: str = Field(min_length=1)
    org: str = ""


class Threshold(Section):
    """A KPI beyond a limit: a number, or `plan` for its target of the period.

    - `by`: judged for each value of this dimension instead of the whole
    - `margin`: how far beyond the limit it must be; `back`: how far inside again before it counts as well
    - `least`: denominators below this say nothing
    """

    kpi: str
    period: PeriodName = "year"
    below: Limit | None = None
    above: Limit | None = None
    by: str | None = None
    margin: float = Field(0, ge=0)
    back: float = Field(0, ge=0)
    least: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise MisdeclaredError("cần đúng một trong below, above", "needs exactly one of below, above")
        return self

    @property
    def limit(self) -> Limit:
        """The one that is given."""
        found = self.below if self.below is not None else self.above
        assert found is not None
        return found


class ChangePoint(Section):
    """The last whole working day far from the working days before it.

    - `days`: of how many working days the median is taken
    - `sigma`: how many times the usual spread it must be away, and `least_percent` of the median besides
    - `least`: medians (for shares: denominators) below this say nothing
    """

    kpi: str
    days: int = Field(20, ge=7, le=60)
    sigma: float = Field(6, ge=3)
    least_percent: float = Field(40, gt=0)
    least: float = Field(20, ge=1)


class Rate(Section):
    """The last `days` whole working days against as many before: fallen or risen by so many percent."""

    kpi: str
    days: int = Field(5, ge=2, le=30)
    falls_percent: float | None = Field(None, gt=0, le=100)
    rises_percent: float | None = Field(None, gt=0)
    least: float = Field(20, ge=1)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.falls_percent is None) == (self.rises_percent is None):
            raise MisdeclaredError(
                "cần đúng một trong falls_percent, rises_percent", "needs exactly one of falls_percent, rises_percent"
            )
        return self


class Missing(Section):
    """A KPI that had data and has had none on the last `days` whole working days, though its sources are well."""

    kpi: str
    days: int = Field(1, ge=1, le=30)


class HealthState(Section):
    """A data set in one of these states, as an incident. `per: platform`: one alert for all of them together, for
    faults that are the IOC's own."""

    states: tuple[str, ...] = Field(min_length=1)
    per: Literal["dataset", "platform"] = "dataset"
    datasets: tuple[str, ...] = ()

    @field_validator("states")
    @classmethod
    def _are_abnormal(cls, states: tuple[str, ...]) -> tuple[str, ...]:
        for number, state in enumerate(states):
            if state not in ABNORMAL:
                raise MisdeclaredError(*unknown_key(state, ABNORMAL, "trạng thái", "state"), at=(str(number),))
        return states


class When(Section):
    """Exactly one condition."""

    threshold: Threshold | None = None
    change_point: ChangePoint | None = None
    rate: Rate | None = None
    missing: Missing | None = None
    health: HealthState | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        kinds = tuple(type(self).model_fields)
        if sum(getattr(self, kind) is not None for kind in kinds) != 1:
            named = ", ".join(kinds)
            raise MisdeclaredError(f"cần đúng một trong {named}", f"needs exactly one of {named}")
        return self

    @property
    def kpi(self) -> str | None:
        """The KPI that is judged; None for states of data sets."""
        for one in (self.threshold, self.change_point, self.rate, self.missing):
            if one is not None:
                return one.kpi
        return None


class Escalation(Section):
    """Told to others when it is not `unless` within `after_s`, counted by the rule's clock."""

    after_s: int = Field(gt=0)
    to: str = Field(min_length=1)
    unless: Literal["assigned", "handled"] = "assigned"
    channels: tuple[str, ...] = ()


class Rule(Section):
    """One rule.

    - `raise_after`, `clear_after`: evaluations in a row before it opens and before it ends (default: 2; an incident
      has been debounced already: 1); `clear_s`: for how long it must have been well besides
    - `hours: working`: judged only while the office of `calendar` works, and escalated by working time
    - `again_s`: one that was handled and still holds opens anew after so long
    - `channels`: who is told; none: those that are `default`
    """

    id: str = Field(pattern=ID)
    name: BilingualText
    advice: BilingualText | None = None
    severity: Severity = "ticket"
    when: When
    owner: AlertOwner
    raise_after: int | None = Field(None, ge=1, le=100)
    clear_after: int | None = Field(None, ge=1, le=100)
    clear_s: int | None = Field(None, ge=0)
    again_s: int = Field(86_400, ge=60)
    hours: Literal["always", "working"] = "always"
    calendar: str = OFFICE
    channels: tuple[str, ...] = ()
    escalate: tuple[Escalation, ...] = ()
    enabled: bool = True

    @field_validator("escalate")
    @classmethod
    def _in_order(cls, steps: tuple[Escalation, ...]) -> tuple[Escalation, ...]:
        for number in range(1, len(steps)):
            if steps[number].after_s <= steps[number - 1].after_s:
                raise MisdeclaredError(
                    "phải lâu hơn bước trước", "must be longer than the step before", (str(number), "after_s")
                )
        return steps


class Webhook(Section):
    """`secret` signs each body, as pushes to the hub are signed."""

    url: str = Field(pattern=r"^https?://")
    secret: str = Field(min_length=1)

    @property
    def key(self) -> Reference:
        """Where the secret is."""
        return Reference(self.secret)

    @field_validator("secret")
    @classmethod
    def _is_reference(cls, value: str) -> str:
        if not Reference(value).has_reference:
            raise MisdeclaredError(
                "phải là tham chiếu, ví dụ ${env:IOC_SECRET_ALERTS}", "must be a reference: ${env:IOC_SECRET_ALERTS}"
            )
        return value


class Mail(Section):
    """By the SMTP server of `IOC_ALERTS__SMTP_HOST`. `to_owner`: also to the owner's contact where it is an address,
    and to whom an escalation names."""

    to: tuple[str, ...] = ()
    to_owner: bool = True

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.to and not self.to_owner:
            raise MisdeclaredError("cần ít nhất một địa chỉ", "needs an address", ("to",))
        return self

    @field_validator("to")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, address in enumerate(value):
            if not is_address(address):
                raise MisdeclaredError("không phải địa chỉ thư", "is no mail address", (str(number),))
        return value


class Channel(Section):
    """A way to people; `default`: of the rules that name none. `tell_end`: the end is told too."""

    id: str = Field(pattern=ID)
    webhook: Webhook | None = None
    mail: Mail | None = None
    default: bool = False
    tell_end: bool = True
    language: Literal["vi", "en"] = "vi"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.webhook is None) == (self.mail is None):
            raise MisdeclaredError("cần đúng một trong webhook, mail", "needs exactly one of webhook, mail")
        return self


class AlertFile(Section):
    """A whole file."""

    rules: tuple[Rule, ...] = ()
    channels: tuple[Channel, ...] = ()


def is_address(text: str) -> bool:
    """Whether it looks like one mail address."""
    local, _, domain = text.partition("@")
    return bool(local) and "." in domain and not any(letter in text for letter in " ,;<>\r\n")
