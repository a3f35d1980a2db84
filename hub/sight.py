"""What a process sees of the integration: Kafka, the warehouse, reports, incidents, and the KPIs over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from connectors.compacted import CompactedTopic
from connectors.live_codes import LiveCodes
from hub.alerts.book import ALERTS_TOPIC, AlertBook
from hub.alerts.rule_files import Against, load_alert_rules
from hub.canary.declared import without_canary
from hub.clock import utc_now
from hub.config import Settings
from hub.declarations import Declarations
from hub.group_lag import GroupLag
from hub.health.commits import CommitLog
from hub.health.oldest import OldestRecords
from hub.health.writing import REPORTS_TOPIC
from hub.incident_book import INCIDENTS_TOPIC, IncidentBook
from hub.kafka_watch import KafkaWatch
from hub.kpi.feed import Feed
from hub.kpi.names import dimension_names
from hub.kpi.reader import Reader
from hub.kpi.service import KpiService, Surroundings
from hub.monitor import Round
from hub.observation_book import OBSERVATIONS_TOPIC, ObservationBook
from hub.statuses import connector_reports, write_reports
from hub.topics import STREAM_GROUP
from hub.way import Way
from hub.wiring import live_codes, warehouse_client


class Sight:
    """Make it before `status_topic` is started; the caller follows that one. `feeds`: the connectors declared, at each
    iteration."""

    def __init__(
        self,
        settings: Settings,
        declared: Declarations,
        feeds: Iterable[Feed],
        status_topic: CompactedTopic,
        codes: LiveCodes | None = None,
    ) -> None:
        self._topics = {contract.entity: contract.topic for contract in declared.contracts.values()}
        bootstrap = settings.bootstrap
        self.last_round: Callable[[], Round | None] = lambda: None
        """A monitor over this sight gives its last judgement here."""
        self._report_topic = CompactedTopic(bootstrap, REPORTS_TOPIC, keep_values=False)
        self._incident_topic = CompactedTopic(bootstrap, INCIDENTS_TOPIC, keep_values=False)
        self.book = IncidentBook(self._incident_topic)
        self._observation_topic = CompactedTopic(bootstrap, OBSERVATIONS_TOPIC)
        self.observed = ObservationBook(self._observation_topic)
        self._alert_topic = CompactedTopic(bootstrap, ALERTS_TOPIC, keep_values=False)
        self.alerts = AlertBook(self._alert_topic)
        kpis = {kpi.id: kpi for plan in declared.plans.values() for kpi in plan.kpis}
        against = Against(kpis, declared.calendars.calendars)
        self.alert_rules = load_alert_rules(against, *filter(None, [settings.alerts.dir]))
        group_lag = GroupLag(bootstrap, STREAM_GROUP, self._topics.values(), read_committed=True)
        oldest = OldestRecords(bootstrap, read_committed=True)
        self.watch = KafkaWatch(group_lag, oldest, CommitLog(bootstrap, STREAM_GROUP), utc_now)
        self.reader = Reader(warehouse_client(settings, read_only=True), utc_now)
        self.way = Way(self.watch, self.reader, write_reports(self._report_topic), lambda: self._topics, utc_now)
        around = Surroundings(
            feeds=feeds,
            statuses=connector_reports(status_topic),
            topic_records=self._topic_records,
            clock=utc_now,
            timezone=settings.timezone,
            flow=self.way,
            one_server=settings.clickhouse.url is None,
        )
        self.codes = codes or live_codes(settings, declared)
        columns = {name: table.columns for name, table in declared.codes.items()}
        names = dict(dimension_names(declared.contracts, declared.codes))
        self.codes.on_table(lambda table: names.update(dimension_names(declared.contracts, {table.name: table})))
        self.kpis = KpiService(self.reader, without_canary(declared.plans), columns, around, names)

    def _topic_records(self) -> Mapping[str, int]:
        by_topic = self.watch.topic_records()
        return {entity: by_topic[topic] for entity, topic in self._topics.items() if topic in by_topic}

    async def start(self) -> None:
        """Follow reports, incidents and alerts. Raises ConnectorError; it may then be called again."""
        await self._report_topic.start()
        await self._incident_topic.start()
        await self._observation_topic.start()
        await self._alert_topic.start()
        await self.codes.topic.start()

    async def stop(self) -> None:
        """Idempotent."""
        await self._report_topic.stop()
        await self._incident_topic.stop()
        await self._observation_topic.stop()
        await self._alert_topic.stop()
        await self.codes.topic.stop()
