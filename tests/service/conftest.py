"""What the tests of the service share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.loops import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    """An event loop of the test's own, closed after it."""
    made = Loop()
    yield made
    if not made.is_closed():
        made.close()
