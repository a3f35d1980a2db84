"""The same requests to a real Kafka Connect worker and to ours: what differs is listed here, with the reason."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from hub.topics import ensure_topics
from tests.connect_place import make_place
from tests.connect_world import CONTRACTS, connect_world, manifest, without_login
from tests.contract.connect_dialogue import Answers, Side, dialogue
from tests.contract.kafka_connect_worker import kafka_connect, make_topic
from tests.portal_server import portal_server, record

pytestmark = pytest.mark.long
A_SANER_400 = "500 in Kafka Connect for what the client did wrong; its clients read the JSON error body of either"
TASKS_AT_ONCE = (
    "a source of ours is one task, known as soon as it is declared; Kafka Connect computes them a moment later"
)
DIFFERENCES: dict[str, str] = {
    "create": TASKS_AT_ONCE,
    "create by PUT": TASKS_AT_ONCE,
    "create paused": "ours shows its task as PAUSED; Kafka Connect has no task until the first resume",
    "name is trimmed": TASKS_AT_ONCE,
    "create, malformed": A_SANER_400,
    "create, null": A_SANER_400,
    "create, empty": A_SANER_400,
    "create, array": A_SANER_400,
    "create, unknown field": A_SANER_400,
    "create, nested": A_SANER_400,
    "create, no config": A_SANER_400,
    "create, bad state": A_SANER_400,
    "create, Vietnamese name": "names stand in addresses of webhooks, file names and metrics: a-z, 0-9 and - alone, "
    "the name for people is in the manifest",
    "encoded slash": "ours has the JSON error body here, too; Jetty answers with a page",
    "encoded percent": "as encoded slash",
    "encoded backslash": "as encoded slash",
    "encoded control": "as encoded slash",
}
"""Steps of the dialogue whose answers differ, and why; whatever else differs fails."""


@pytest.fixture(scope="module")
def both(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Answers, Answers]:
    """What a real worker and ours answered, asked at the same time."""
    folder = tmp_path_factory.mktemp("connect")
    with ThreadPoolExecutor(2) as pool:
        real, own = pool.submit(theirs, kafka, folder), pool.submit(ours, kafka)
        return real.result(), own.result()


def theirs(kafka: str, data: Path) -> Answers:
    source = data / "lines.txt"
    source.write_text("one\ntwo\n", encoding="utf-8")
    config = {"connector.class": "FileStreamSource", "file": str(source), "topic": "cmp-lines", "tasks.max": "1"}
    make_topic(kafka, "cmp-lines")
    partition, offset = {"filename": str(source)}, {"position": 4}
    with kafka_connect(kafka, data, "cmp") as url, httpx2.Client(base_url=url, timeout=30) as client:
        return dialogue(Side(client, config, partition, offset, "FileStreamSourceConnector", "topic"))


def ours(kafka: str) -> Answers:
    ensure_topics(kafka, [CONTRACTS["dossier"]], 2, 1)
    with (
        portal_server([record(number) for number in range(3)]) as portal,
        connect_world(kafka, portal, make_place(kafka)) as world,
        world.client() as client,
    ):
        portal.open = True
        text = without_login(manifest("model")).encode()
        client.put("/connectors/model/manifest", content=text, headers={"Content-Type": "text/yaml"})
        config = client.get("/connectors/model/config").json()
        client.delete("/connectors/model")
        config = {key: value for key, value in config.items() if key != "name"} | {"tasks.max": "1"}
        offset = {"since": "2022-01-01T00:00:00+07:00"}
        return dialogue(Side(client, config, {"connector": "cmp"}, offset, "RestSourceConnector", "entity"))


def test_both_answer_alike_but_for_what_is_listed(both: tuple[Answers, Answers]) -> None:
    real, own = both
    found = {step: (real.found[step], own.found[step]) for step in real.found if real.found[step] != own.found[step]}
    unlisted = {step: answers for step, answers in found.items() if step not in DIFFERENCES}
    assert unlisted == {}, json.dumps(unlisted, indent=1)
    assert set(DIFFERENCES) - set(found) == set(), "these no longer differ"


def test_the_dialogue_is_the_same_on_both_sides(both: tuple[Answers, Answers]) -> None:
    real, own = both
    assert list(real.found) == list(own.found)
    assert len(real.found) > 120


def test_no_fault_of_the_client_is_one_of_our_server(
    both: tuple[Answers, Answers],
) -> None:
    real, own = both
    for step, (status, *_) in real.found.items():
        if status >= 500:
            assert 400 <= own.found[step][0] < 500, step
