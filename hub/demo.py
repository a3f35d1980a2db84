"""The demonstration: the stack of `ioc up` and the province's simulated systems beside it.

The simulators are programs of the clone (`deploy/demo`), started by path as processes of their own; they meet the
product at its public interfaces only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.config import Settings
from hub.first_keys import key_store
from hub.kafka_jars import clone_root
from hub.language import t
from hub.local_secrets import local_secrets
from hub.stack import Stack, accepts, free_port
from hub.state_dir import StateDir
from hub.supervision import Plan
from hub.supervisor import Unit

PORTAL = "portal"
FEEDBACK = "feedback-1022"
PROVINCE = "province-systems"
"""The unit of all small systems together."""
SIMULATORS = (PORTAL, FEEDBACK, PROVINCE)

SCALE = "IOC_DEMO_SCALE"
LIVE_RATE = "IOC_DEMO_LIVE_RATE"
SPEED = "IOC_DEMO_SPEED"
PORTAL_PORT = "IOC_DEMO_PORTAL_PORT"
PROVINCE_WANTED = "IOC_DEMO_PROVINCE"
"""Set: the small systems run too."""
PREPARE_TIMEOUT_S = 60
UPLOAD_KEY = "demo-upload.key"
PUSHES = {"IOC_DEMO_EACH": "--each", "IOC_DEMO_SHUFFLE_MINUTES": "--shuffle-minutes"}
"""How often the 1022 system sends each event, and how far out of order; unset: its own defaults."""

DEFAULT_LIVE_RATE = 1.0
"""Live events per second of the portal, of 1022, and of the other systems together: tiles move within seconds. Each is
an insert of its own, of a quarter of a core second on a slow machine: at 2.0 a page of KPIs took 3.7–5.4 s there, at
1.0 it took 0.7–2.8 s."""


class DemoError(Exception):
    """The demonstration cannot start; the message names the cure."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`scale` 1 is the whole reference history; `live_rate` 0 means no live events; with `speed` there are so many
    times as many as on a real day."""

    scale: float
    live_rate: float
    speed: float | None = None

    def environment(self, settings: Settings, province: Province) -> dict[str, str]:
        """What the supervisor and the roles need to know: addresses, and secrets made for this state."""
        secrets = local_secrets(settings.state_dir)
        port = free_port()
        return {
            SCALE: f"{self.scale:g}",
            LIVE_RATE: f"{self.live_rate:g}",
            **({} if self.speed is None else {SPEED: f"{self.speed:g}"}),
            PORTAL_PORT: str(port),
            PROVINCE_WANTED: "1",
            **province.environment,
            "IOC_CONNECTORS_DIR": str(settings.connectors_dir or demo_root() / "deploy" / "departments"),
            "IOC_CONNECT__FOLDERS": ",".join(map(str, (*settings.connect.folders, *province.folders))),
            "IOC_CONNECT__ALLOWED_HOSTS": ",".join((*settings.connect.allowed_hosts, "127.0.0.1")),
            "IOC_PORTAL_URL": f"http://127.0.0.1:{port}",
            "IOC_SECRET_PORTAL_CLIENT_ID": "ioc-hub",
            "IOC_SECRET_PORTAL_CLIENT_SECRET": secrets.ensure("demo-portal.key"),
            "IOC_SECRET_1022_KEY": secrets.ensure("demo-1022.key"),
            "IOC_SECRET_UPLOAD_KEY": upload_key(settings),
        }


def upload_key(settings: Settings) -> str:
    """The key of the simulated officials who hand in workbooks; made at the first call."""
    keys, secrets = key_store(settings), local_secrets(settings.state_dir)
    own = secrets.read(UPLOAD_KEY)
    if own is None or keys.authenticate(own) is None:
        own = keys.create("operator", note="demonstration: officials").text
        secrets.write(UPLOAD_KEY, own)
    return own


@dataclass(frozen=True, slots=True)
class Province:
    """What the small systems say of themselves before they run.

    `environment`: variables of their manifests · `folders`: directories that connectors may read · `absent`: those
    that cannot run on this machine, and why.
    """

    environment: Mapping[str, str]
    folders: tuple[str, ...]
    absent: Mapping[str, str]


def prepare_province(settings: Settings) -> Province:
    """Ask the small systems, a process of its own; blocks for a second or two. Raises `DemoError`."""
    command = [sys.executable, "-m", "deploy.demo.province_systems", "--prepare"]
    command += ["--state", str(demo_state(settings)), "--target", settings.api_url]
    try:
        done = subprocess.run(
            command, cwd=demo_root(), capture_output=True, text=True, timeout=PREPARE_TIMEOUT_S, check=True
        )
        answer = json.loads(done.stdout)
        return Province(answer["environment"], tuple(answer["folders"]), answer["absent"])
    except (subprocess.SubprocessError, ValueError, KeyError) as error:
        said = str(getattr(error, "stderr", None) or error).strip()
        raise DemoError(t("Không chuẩn bị được hệ thống mô phỏng:", "No simulated systems:") + f" {said}") from error


def demo_root() -> Path:
    """The clone that holds the simulators; raises `DemoError` for an installed wheel."""
    root = clone_root()
    if root is None or not (root / "deploy" / "demo" / "portal.py").exists():
        raise DemoError(
            t(
                "ioc demo cần bản sao (clone) của kho mã: gói cài đặt không kèm các hệ thống mô phỏng",
                "ioc demo needs a clone of the repository: the simulated systems are not in the wheel",
            )
        )
    return root


def demo_state(settings: Settings) -> Path:
    """Where the simulators keep their ledgers."""
    return settings.state_dir.absolute() / "demo"


def begun_scale(settings: Settings) -> float | None:
    """The scale with which this state's demonstration was begun, None if it never was."""
    try:
        origin = json.loads((demo_state(settings) / PORTAL / "origin.json").read_text(encoding="utf-8"))
        return float(origin["scale"])
    except (OSError, ValueError, KeyError):
        return None


def chosen_scale(settings: Settings, asked: float | None) -> float:
    """The asked scale, or the one already begun; raises `DemoError` if they contradict."""
    begun = begun_scale(settings)
    if begun is not None and asked is not None and asked != begun:
        raise DemoError(
            t(
                f"Trạng thái này đã bắt đầu với --scale {begun:g}; giữ nguyên hoặc làm lại bằng --reset",
                f"This state was begun with --scale {begun:g}; keep it, or begin anew with --reset",
            )
        )
    return asked if asked is not None else begun if begun is not None else 1.0


def reset(settings: Settings) -> None:
    """Delete the whole state. Raises `DemoError` while a stack runs in it."""
    state = StateDir(settings.state_dir.absolute())
    if state.supervisor() is not None:
        raise DemoError(
            t(
                f"Hệ thống đang chạy trong {state.root}; hãy dừng bằng: ioc down",
                f"A stack runs in {state.root}; stop it first with: ioc down",
            )
        )
    shutil.rmtree(state.root, ignore_errors=True)


def demo_units(settings: Settings, stack: Stack, environ: Mapping[str, str] = os.environ) -> list[Unit]:
    """The simulators as units, if the environment asks for them; else none."""
    if PORTAL_PORT not in environ:
        return []
    root = demo_root()
    state = demo_state(settings)
    port = int(environ[PORTAL_PORT])
    common = ["--state", str(state), "--scale", environ[SCALE], "--live-rate", environ[LIVE_RATE]]
    common += ["--speed", environ[SPEED]] if SPEED in environ else []
    extra = {"PYTHONPATH": str(root)}

    def program(name: str, module: str, arguments: list[str]) -> Unit:
        command = [sys.executable, "-m", module, *arguments, *common]
        ready = _ready(name, state, port)
        return Unit(Plan(name), lambda: stack.spawn_program(name, command, extra), ready, grace_s=10)

    target = f"{settings.api_url}/v1/ingest/{FEEDBACK}"
    pushes = [part for name, flag in PUSHES.items() if name in environ for part in (flag, environ[name])]
    units = [
        program(PORTAL, "deploy.demo.portal", ["--port", str(port)]),
        program(FEEDBACK, "deploy.demo.feedback1022", ["--target", target, *pushes]),
    ]
    if PROVINCE_WANTED in environ:
        units.append(program(PROVINCE, "deploy.demo.province_systems", ["--target", settings.api_url]))
    return units


def _ready(name: str, state: Path, port: int) -> Callable[[], bool]:
    if name == PORTAL:
        return lambda: accepts(port)
    if name == PROVINCE:
        return (state / "province-ready.json").exists
    return (state / FEEDBACK / "progress.json").exists
