"""The client against the hub's own registry, over HTTP only."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest

from hub.security.access import Principal
from schemas.contract import load_contracts
from schemas.errors import RegistryError, RegistryUnavailableError, UnknownSchemaError
from schemas.registry_client import RegistryAccess, RegistryClient
from schemas.schema_texts import UNKNOWN_TTL_S
from tests.conftest import free_port
from tests.contract.conftest import serve_registry


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(registry_url: str, clock: Clock) -> Iterator[RegistryClient]:
    with RegistryClient(registry_url, monotonic=clock) as opened:
        yield opened


def record(*names: str) -> str:
    fields = [{"name": name, "type": "string"} for name in names]
    return json.dumps({"type": "record", "name": "R", "fields": fields})


def answered(url: str, operation: str, status: int) -> float:
    """How often the registry gave this answer, by its own count."""
    wanted = f'ioc_registry_requests_total{{operation="{operation}",status="{status}"}} '
    for line in httpx2.get(f"{url}/metrics").text.splitlines():
        if line.startswith(wanted):
            return float(line.removeprefix(wanted))
    return 0.0


def test_every_contract_is_registered_and_read_back_unchanged(client: RegistryClient) -> None:
    for contract in load_contracts().values():
        schema_id = client.register(contract.subject, contract.schema_text)
        assert json.loads(client.schema_text(schema_id)) == contract.schema
        assert client.latest(contract.subject) == (schema_id, 1, contract.schema_text)
        assert contract.subject in client.subjects()


def test_a_schema_is_asked_for_once(client: RegistryClient, registry_url: str, subject: str) -> None:
    schema_id = client.register(subject, record("once"))
    before = answered(registry_url, "schema", 200)
    assert {client.schema_text(schema_id) for _ in range(5)} == {client.schema_text(schema_id)}
    assert answered(registry_url, "schema", 200) == before + 1


def test_an_unknown_id_does_not_hammer_the_registry(client: RegistryClient, registry_url: str, clock: Clock) -> None:
    before = answered(registry_url, "schema", 404)
    for _ in range(5):
        with pytest.raises(UnknownSchemaError, match="987654"):
            client.schema_text(987_654)
    assert answered(registry_url, "schema", 404) == before + 1
    clock.now += UNKNOWN_TTL_S
    with pytest.raises(UnknownSchemaError):
        client.schema_text(987_654)
    assert answered(registry_url, "schema", 404) == before + 2


def test_an_incompatible_schema_is_refused_with_the_fields_name(client: RegistryClient, subject: str) -> None:
    client.register(subject, record("a"))
    compatible, messages = client.compatible(subject, record("a", "b"))
    assert not compatible
    assert "field 'b'" in messages[0]
    assert client.compatible(subject, record("a")) == (True, [])
    with pytest.raises(RegistryError, match="field 'b'") as refused:
        client.register(subject, record("a", "b"))
    assert not isinstance(refused.value, RegistryUnavailableError)


def test_an_invalid_schema_is_refused_with_the_place(client: RegistryClient, subject: str) -> None:
    with pytest.raises(RegistryError, match="unknown type"):
        client.register(subject, '{"type":"record","name":"R","fields":[{"name":"a","type":"strin"}]}')
    with pytest.raises(RegistryError, match="40401"):
        client.latest(subject)


def test_a_subject_of_any_characters_goes_through(client: RegistryClient, subject: str) -> None:
    odd = f"{subject}/hồ sơ?#%2F"
    schema_id = client.register(odd, record("odd"))
    assert client.latest(odd)[0] == schema_id
    assert client.compatible(odd, record("odd")) == (True, [])


def test_a_registry_that_is_away_is_no_unknown_schema() -> None:
    with (
        RegistryClient(f"http://user:secret@127.0.0.1:{free_port()}") as client,
        pytest.raises(RegistryUnavailableError) as away,
    ):
        client.schema_text(1)
    assert "does not answer" in str(away.value)
    assert "secret" not in str(away.value)


def test_a_registry_that_cannot_read_its_log_is_away() -> None:
    def ask(url: str) -> None:
        with RegistryClient(url) as client, pytest.raises(RegistryUnavailableError, match="503"):
            client.schema_text(1)

    with serve_registry(f"127.0.0.1:{free_port()}", "_schemas", before_ready=ask, becomes_ready=False):
        pass


def test_a_wrong_address_does_not_condemn_an_id(registry_url: str) -> None:
    with RegistryClient(f"{registry_url}/elsewhere") as client, pytest.raises(RegistryError, match="404"):
        client.schema_text(1)


def test_the_key_goes_as_a_bearer_token_or_in_the_address(kafka: str, schemas_topic: str) -> None:
    with serve_registry(kafka, schemas_topic, {"key": Principal("service")}.get) as url:
        with RegistryClient(url, "key") as client:
            assert client.register("s", record("a")) == 1
        with RegistryClient(url.replace("//", "//anybody:key@")) as client:
            assert client.subjects() == ["s"]
        with RegistryClient(url, access=RegistryAccess(user="anybody", password="key")) as client:
            assert client.subjects() == ["s"]
        with RegistryClient(url) as client, pytest.raises(RegistryError, match="A key is needed"):
            client.subjects()
