"""Which contracts have a topic, tables and a place in the worker: those that a connector leans on."""

from __future__ import annotations

from hub.config import Settings
from hub.declarations import load_declarations, with_topics
from hub.topics import topic_specs


def test_only_contracts_that_a_connector_leans_on_are_in_use() -> None:
    declared = load_declarations(Settings())
    leaned_on = {manifest.entity for manifest in declared.manifests.values()}
    assert set(declared.in_use) == leaned_on
    topics = {spec.name for spec in topic_specs(declared.in_use.values(), 1)}
    assert all((contract.topic in topics) is (entity in leaned_on) for entity, contract in declared.contracts.items())


def test_a_contract_whose_topic_was_made_since_comes_into_use() -> None:
    declared = load_declarations(Settings())
    idle = [contract for entity, contract in declared.contracts.items() if entity not in declared.in_use]
    missing = [contract.topic for contract in declared.contracts.values()]
    assert with_topics(declared, missing).in_use == declared.in_use, "what is in use stays, topic or not"
    for contract in idle:
        come = with_topics(declared, [topic for topic in missing if topic != contract.topic])
        assert set(come.in_use) == {*declared.in_use, contract.entity}
