"""The theme that a run's first message names: the same, to the byte, as Streamlit writes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from streamlit import config
from streamlit.proto.NewSession_pb2 import NewSession
from streamlit.runtime import app_session

from playground.service import theme
from tests.conftest import ROOT

SECTIONS = ("theme", "theme.light", "theme.dark", "theme.sidebar", "theme.light.sidebar", "theme.dark.sidebar")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    theme._made.cache_clear()
    yield
    theme._made.cache_clear()


def written(populate: object) -> NewSession:
    """A first message with all sections, filled in as `AppSession` does."""
    message = NewSession()
    own = message.custom_theme
    places = (own, own.light, own.dark, own.sidebar, own.light.sidebar, own.dark.sidebar)
    for place, section in zip(places, SECTIONS, strict=True):
        populate(place, section)  # type: ignore[operator]
    return message


def test_it_is_what_streamlit_writes() -> None:
    config.get_config_options(force_reparse=True)  # that of this repository
    whole = written(theme._populate)
    assert whole.custom_theme.light.primary_color == "#1f5fa8" and whole.custom_theme.heading_font_weights[0] == 600
    for _time in range(2):  # the second comes out of the memory
        assert written(theme.populate).SerializeToString(deterministic=True) == whole.SerializeToString(
            deterministic=True
        )
    assert not written(theme.populate).custom_theme.HasField("sidebar")


def test_a_message_that_is_changed_changes_no_other() -> None:
    config.get_config_options(force_reparse=True)
    written(theme.populate).custom_theme.light.primary_color = "#000000"
    assert written(theme.populate).custom_theme.light.primary_color == "#1f5fa8"


def test_it_is_there_once_the_server_is_warm() -> None:
    asked = (
        "from playground.warmup import warm_up; warm_up();"
        "from streamlit.runtime import app_session; print(app_session._populate_theme_msg.__module__)"
    )
    said = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.split()[-1] == "playground.service.theme"
    assert app_session._populate_theme_msg is theme._populate  # here nothing is installed
