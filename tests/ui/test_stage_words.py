"""The words of the stages over a trained or a pretrained layer: they say what was done there, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from attention_core.pretrained import Reading, load
from attention_core.pretrained import read as read_text
from attention_core.trace import AttentionTrace
from attention_core.trained import SHIPPED, answer, load_shipped, task
from playground import stages
from playground.prose import Section
from tests.core.pretrained.tiny import saved


def trained_traces() -> list[AttentionTrace]:
    found = [answer(task(name), load_shipped(name), task(name).inputs[0]) for name in SHIPPED]
    return [trace for one in found for trace in one.traces.values()]


@cache
def read_by(family: str) -> Reading:
    return read_text(load(saved(family)), "the cat sat on the bank")


def pretrained_traces() -> list[AttentionTrace]:
    readings = [read_by(family) for family in ("bert", "gpt2", "llama", "t5", "qwen3", "gemma2")]
    return [layer.trace() for reading in readings for layer in reading.layers.values()]


def made_of(section: Section, words: Mapping[str, Section]) -> tuple[str, str]:
    """The name of the words that a section begins with, and the formula under them."""
    lead, _, formula = section.lead.rpartition("\n")
    if not formula.startswith("$"):
        lead, formula = section.lead, ""
    (name,) = [name for name, one in words.items() if one.lead == lead]
    return name, formula


def test_words_follow_what_enters_a_trained_layer() -> None:
    def walked(name: str, layer: str) -> dict[str, tuple[str, tuple[str, ...], str]]:
        trace = answer(task(name), load_shipped(name), task(name).inputs[0]).traces[layer]
        return {
            stage.name: (stage.title, stage.fields, stages.passage(trace, stage.name).lead)
            for stage in stages.walk(trace)
        }

    title, fields, lead = walked("reversal", "self1")["embedding"]
    assert title == "Embedding" and "the sum is normalised" in lead
    assert fields == ("token_embedding", "position_encoding", "embedding")
    title, fields, lead = walked("induction", "self2")["embedding"]
    assert title == "What enters this layer" and "layer before gave" in lead and "becomes" not in lead
    assert fields == ("value_embedding", "position_encoding", "embedding")
    assert r"\hat{x}_j" in walked("induction", "self2")["qkv"][2]
    cross = walked("translation", "cross1")
    assert cross["embedding"][:2] == ("What enters the cross-attention", ("embedding",))
    title, fields, lead = cross["source_embedding"]
    assert (title, fields) == ("What the encoder gives", ("source_embedding", "value_embedding"))
    assert "encoder" in lead and "$" not in lead


def test_words_follow_a_pretrained_model() -> None:
    def lead(family: str, layer: str, stage: str) -> str:
        return stages.passage(read_by(family).layers[layer].trace(), stage).lead

    gemma, qwen = (read_by(family).layers["layer1"].trace() for family in ("gemma2", "qwen3"))
    titles = [stage.title for stage in stages.walk(gemma)]
    assert "A cap on the scores" in titles and "Position in the scores" not in titles
    said = lead("gemma2", "layer1", "modified_scores")
    assert "cap" in said and r"C = 0.3}$" in said and "stand" not in said
    assert stages.field_title("modified_scores", gemma) == "Scores within the cap"
    assert "T" not in lead("gemma2", "layer1", "scaled_scores").partition("$")[2]
    assert r"\alpha = 0.0625" in lead("gemma2", "layer1", "scaled_scores")
    assert "without the matrices" in lead("qwen3", "layer1", "qkv")
    assert "q_i =" not in lead("qwen3", "layer1", "qkv") and "v_j = x_j W_V" in lead("qwen3", "layer1", "qkv")
    assert "projection" in [stage.title for stage in stages.walk(qwen)][-1]
    assert "the layer before gave" in lead("bert", "layer2", "embedding")
    assert "the model begins with" in lead("bert", "layer1", "embedding")
    assert "learned number" not in lead("t5", "encoder1", "modified_scores")
    assert "z_{ij} = s_{ij} + p_{ij}" in lead("t5", "encoder1", "modified_scores")
