"""The alert engine over what a process sees; it runs beside the monitor."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from connectors.secrets import Reference, SecretResolver
from hub.alerts.channels import MailWay, Paper, Post, Way, WebhookWay
from hub.alerts.engine import AlertEngine, Seen
from hub.alerts.kpi_figures import ServiceFigures
from hub.alerts.notifier import Notifier
from hub.alerts.rule import Channel
from hub.clock import utc_now
from hub.config import Settings
from hub.local_secrets import local_secrets
from hub.monitor import Monitor
from hub.sight import Sight


def alert_engine(settings: Settings, sight: Sight, monitor: Monitor) -> AlertEngine:
    """The engine of this process; it starts nothing."""
    rules, resolver = sight.alert_rules, SecretResolver(file_roots=(local_secrets(settings.state_dir).directory,))
    desk = (settings.alerts.desk_url or settings.api_url).rstrip("/")
    paper = Paper(ZoneInfo(settings.timezone), desk, utc_now)
    ways = {name: _way(channel, settings, resolver.resolve, paper) for name, channel in rules.channels.items()}
    notifier = Notifier(sight.alerts, rules.channels, ways, utc_now)
    seen = Seen(
        feeds=lambda: sight.kpis.around.feeds,
        incidents=monitor.open_incidents,
        figures=lambda now: ServiceFigures(sight.kpis, now),
        clock=utc_now,
    )
    return AlertEngine(rules, sight.alerts, notifier, seen, monitor.turn)


def _way(channel: Channel, settings: Settings, secret: Callable[[Reference], str], paper: Paper) -> Way:
    if channel.webhook is not None:
        return WebhookWay(channel, secret, paper)
    smtp = settings.alerts.smtp
    password = smtp.password.get_secret_value() if smtp.password else None
    post = Post(smtp.host, smtp.port, smtp.sender, smtp.tls, smtp.user, password) if smtp.host else None
    return MailWay(channel, post, paper)
