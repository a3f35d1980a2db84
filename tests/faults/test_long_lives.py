"""The state machine of a dossier's life at length: more lives, and longer ones."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.unit.test_change_properties import DossierLife


@pytest.mark.long
@pytest.mark.timeout(900)
class TestManyLongLives(DossierLife.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
