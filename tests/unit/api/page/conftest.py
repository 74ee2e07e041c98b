"""One story for all tests that only look."""

import pytest

from tests.page.chapters import whole_story
from tests.page.serving import rig_of
from tests.unit.api.rig import Rig


@pytest.fixture(scope="session")
def told() -> Rig:
    """The API over the whole story; nobody may decide anything on it."""
    return rig_of(whole_story())
