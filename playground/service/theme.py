"""The colours and fonts that each run's first message names, made once.

Streamlit reads them anew from all its settings for every run of every visitor, six sections of some fifty settings
each: a tenth of what a change costs the server. They are those of `.streamlit/config.toml`, which nobody edits while a
class looks on.
"""

from __future__ import annotations

from functools import cache

from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

_populate = app_session._populate_theme_msg


@cache
def _made(section: str) -> CustomThemeConfig:
    theme = CustomThemeConfig()
    _populate(theme, section)
    return theme


def populate(msg: CustomThemeConfig, section: str = "theme") -> None:
    """Write a section of the theme into `msg`, as `_populate_theme_msg` of Streamlit does."""
    made = _made(section)
    if made.ListFields():  # a section that sets nothing leaves the message unset
        msg.MergeFrom(made)


def install() -> None:
    """For the whole process."""
    app_session._populate_theme_msg = populate
