"""The messages of the mask lab: each is used, each can be filled in, and a share is never rounded to a lie."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_core.mask_lab.application import WAYS
from attention_core.mask_lab.empty_rows import CONVENTIONS
from attention_core.mask_lab.endings import endings
from attention_core.mask_lab.snippets import LIBRARIES
from attention_core.mask_lab.words import MESSAGES, say, share

STATUSES = ("blind", "same", "emptied", "filled", "closed", "closed_untouched", "opened", "both")


@pytest.mark.parametrize("key", MESSAGES)
def test_a_message_can_be_filled_in(key: str) -> None:
    names = re.findall(r"\{(\w+)\}", MESSAGES[key])
    text = say(key, **{name: f"<{name}>" for name in names}).text()
    assert all(f"<{name}>" in text for name in names)
    assert not re.search(r"[{}]", text)


def test_there_is_a_message_for_everything_and_none_too_many() -> None:
    used = {f"row_{status}" for status in STATUSES}
    used |= {f"way_{way}" for way in WAYS}
    used |= {f"ending_{ending.key}" for ending in endings()}
    used |= {f"convention_{convention}" for convention in CONVENTIONS}
    used |= {f"verdict_{verdict}" for verdict in ("nan", "uniform", "zeros", "bias", "other")}
    used |= {"gradient_finite", "gradient_nan", "open_cells", "open_cells_blind"}
    used |= {f"by_hand_{what}" for what in ("opened", "closed", "opened_closed")}
    for part in ("title", "polarity"):
        used |= {f"{library}_{part}" for library in (*LIBRARIES, "hf_padding")}
    assert set(MESSAGES) == used


def test_tokens_with_braces_stay_as_they_are() -> None:
    text = say("row_same", token="{0}{token}").text()
    assert text == "Nothing changes for '{0}{token}'."


@given(st.floats(0, 1))
def test_a_share_is_never_rounded_to_nothing_or_everything(part: float) -> None:
    assert (share(part) == "0 %") == (part == 0.0)
    assert (share(part) == "100 %") == (part == 1.0)
    number = float(re.sub(r"[^0-9.]", "", share(part)))
    assert abs(number - 100 * part) <= 0.6


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0.5, "50 %"),
        (0.051, "5.1 %"),
        (0.00123, "0.12 %"),
        (0.9999, "99.99 %"),
        (0.00005, "less than 0.01 %"),
        (0.99995, "more than 99.99 %"),
    ],
)
def test_shares_by_hand(part: float, text: str) -> None:
    assert share(part) == text
