"""The worked examples: they run, they are what their titles say, and the first one means something."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from attention_core.experiment import Experiment
from attention_core.limits import Limits
from attention_core.presets import DEFAULT, PRESETS, Preset, preset, preset_of


@pytest.mark.parametrize("example", PRESETS, ids=lambda example: example.id)
def test_every_example_runs_within_the_limits_and_survives_a_link(example: Preset) -> None:
    Limits().check(example.experiment)
    trace = example.experiment.run()
    assert torch.isfinite(trace.output).all() and trace.heads.weights.sum() > 0
    assert Experiment.from_query(example.experiment.to_query()) == example.experiment
    assert example.title and example.why.endswith(".")


def test_ids_are_unique_and_fit_an_address() -> None:
    ids = [example.id for example in PRESETS]
    assert len(set(ids)) == len(ids)
    assert all(id.replace("-", "").isalnum() and id.isascii() and id == id.lower() for id in ids)
    assert len({example.experiment for example in PRESETS}) == len(PRESETS)


def test_an_experiment_is_known_as_an_example_while_nothing_in_it_differs() -> None:
    for example in PRESETS:
        assert preset_of(example.experiment) == example
        assert preset_of(replace(example.experiment, seed=example.experiment.seed + 1)) is None


def test_the_first_example_means_something() -> None:
    trace = DEFAULT.experiment.run()
    assert trace.head_names == ("previous token", "first token", "same token", "random")
    weights = trace.heads.weights[0]
    assert weights[0].diagonal(-1).min() > 0.9 and weights[1, :, 0].min() > 0.9
    assert weights[2].diagonal().min() > 0.9  # "The" and "the" are different words


def test_the_article_has_values_wider_than_queries() -> None:
    for mode in ("self", "causal", "cross"):
        experiment = preset(f"article-{mode}").experiment
        assert (experiment.mode, experiment.d_k, experiment.d_v, experiment.seed) == (mode, 2, 4, 123)
        assert experiment.text == "The sun rises in the east" and not experiment.out_proj
    assert preset("article-cross").experiment.run().shape("weights") == (1, 1, 6, 8)


def test_the_translation_has_two_languages() -> None:
    trace = preset("translation").experiment.run()
    assert len(trace.tokens) == 7 and all(ord(token) > 0x4E00 for token in trace.tokens)
    assert trace.source_tokens == ("The", "sun", "rises", "in", "the", "east")


def test_the_chinese_sentence_finds_its_cat_again() -> None:
    trace = preset("chinese").experiment.run()
    first, second = (i for i, token in enumerate(trace.tokens) if token == "猫")
    assert trace.heads.weights[0, 2, second, first].item() == pytest.approx(0.5, abs=0.05)


def test_the_paragraph_has_forty_words() -> None:
    assert len(preset("paragraph").experiment.tokens()) == 40


def test_recommended_sizes() -> None:
    five = preset("five-tokens").experiment
    assert (len(five.tokens()), five.num_heads, five.d_model) == (5, 2, 4)
    for id, heads, width in (("base-512", 8, 512), ("base-768", 12, 768)):
        experiment = preset(id).experiment
        assert (experiment.num_heads, experiment.d_model, experiment.dropout) == (heads, width, 0.1)
        assert experiment.run().shape("q")[-1] == 64


def test_an_unknown_example_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="preset='nothing': allowed are animal, article-self"):
        preset("nothing")
