"""Scores of heads on maps made by hand, where the right answer is known."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from attention_core.pretrained import Reading, Side
from attention_core.pretrained.findings import ahead, findings
from attention_core.pretrained.layer import Layer
from attention_core.pretrained.sinks import received
from tests.core.pretrained.test_reading import found

TOKENS = ("[CLS]", "a", "b", "c", "[SEP]")


def reading(*maps: torch.Tensor, causal: bool = False, part: str = "layer") -> Reading:
    """A reading of five tokens whose one layer has these maps."""
    weights = torch.stack(maps)
    allowed = torch.ones(5, 5, dtype=torch.bool)
    allowed = allowed.tril() if causal else allowed
    nothing: Any = partial(SimpleNamespace)
    side = Side("", TOKENS, tuple(token.startswith("[") for token in TOKENS), None, torch.zeros(1, 5, 1))
    return Reading(side, None, {"layer1": Layer(part, 1, TOKENS, TOKENS, weights, allowed, 0.0, nothing)})


def looking(*at: int) -> torch.Tensor:
    """A map in which each token puts all its weight on one token."""
    return torch.eye(5)[list(at)]


def scores(*readings: Reading) -> dict[tuple[int, str], tuple[float, float]]:
    return {(one.head, one.what): (one.score, one.even) for one in findings(readings)}


def test_pure_heads_score_one() -> None:
    back, ahead_, self_, cls, sep = (
        looking(0, 0, 1, 2, 3),
        looking(1, 2, 3, 4, 4),
        looking(0, 1, 2, 3, 4),
        looking(*[0] * 5),
        looking(*[4] * 5),
    )
    found_ = scores(reading(back, ahead_, self_, cls, sep))
    for head, what in enumerate(("previous", "next", "itself", "first", "[SEP]")):
        assert found_[head, what][0] == 1.0
        assert all(found_[other, what][0] < 1.0 for other in range(5) if other != head)
    assert found_[3, "[CLS]"][0] == 1.0
    assert found_[0, "next"][0] == 0.0
    assert found_[0, "itself"][0] == pytest.approx(1 / 5), "the first token has nothing before it"
    assert found_[2, "first"][0] == 0.0, "the first token, looking at itself, is not asked"


def test_a_score_is_a_mean_over_the_rows_that_have_such_a_token() -> None:
    weights = torch.full((5, 5), 0.2)
    found_ = scores(reading(weights))
    for score, even in found_.values():
        assert score == pytest.approx(0.2) and even == pytest.approx(0.2)
    weights = torch.eye(5)
    weights[3] = torch.tensor([0.0, 0.0, 0.25, 0.75, 0.0])
    assert scores(reading(weights))[0, "previous"][0] == pytest.approx(0.25 / 4)
    assert scores(reading(weights))[0, "itself"][0] == pytest.approx(4.75 / 5)


def test_sentences_count_by_their_tokens_and_come_in_order() -> None:
    back, self_ = reading(looking(0, 0, 1, 2, 3)), reading(torch.eye(5))
    assert scores(back, self_)[0, "previous"][0] == pytest.approx(0.5)
    order = [one.score for one in findings([back, self_])]
    assert order == sorted(order, reverse=True)


def test_the_even_share_knows_the_mask() -> None:
    even = torch.ones(5, 5).tril()
    found_ = scores(reading(even / even.sum(-1, keepdim=True), causal=True))
    wanted = (1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 4
    assert found_[0, "first"] == (pytest.approx(wanted), pytest.approx(wanted))
    assert found_[0, "next"] == (0.0, 0.0)


def test_cross_attention_has_no_neighbours() -> None:
    kinds = {one.what for one in findings([reading(torch.eye(5), part="cross")])}
    assert kinds == {"first", "[CLS]", "[SEP]"}


def test_weight_on_later_tokens() -> None:
    assert ahead(reading(looking(1, 2, 3, 4, 4)), "layer") == pytest.approx(0.8)
    assert ahead(found("gpt2"), "layer") == 0.0
    assert ahead(found("bert"), "layer") > 0.1
    with pytest.raises(ValueError, match="part='cross': allowed are layer"):
        ahead(found("bert"), "cross")


def test_sinks_are_what_others_look_at() -> None:
    sink, own = looking(0, 4, 4, 4, 4), torch.eye(5)
    best = received(reading(sink, own), "layer")
    first = best[0]
    assert (first.place, first.token, first.special, first.heads) == (4, "[SEP]", True, 1)
    assert first.share == pytest.approx(3 / 4 / 2), "three of the four others look there, in one of two heads"
    assert first.even == pytest.approx(0.2)
    assert [one.share for one in best[1:]] == [0.0] * 4, "who looks at itself makes no sink"


def test_the_scores_of_a_model_are_those_of_its_own_weights() -> None:
    reading_ = found("bert")
    own = reading_.layers["layer2"].weights[2]
    score = next(one for one in findings([reading_]) if (one.layer, one.head, one.what) == ("layer2", 2, "next"))
    count = len(own)
    assert score.score == pytest.approx(sum(float(own[i, i + 1]) for i in range(count - 1)) / (count - 1), abs=1e-6)
