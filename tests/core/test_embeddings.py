"""Vectors of words: against the published article, nn.Embedding, and what must not change them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from attention_core.embeddings import EMBEDDINGS, embed, hashed, one_hot, sorted_vocabulary

ARTICLE = json.loads((Path(__file__).parents[1] / "data" / "self_attention_article.json").read_text("utf-8"))
RECIPES = {"hashed": hashed, "sorted_vocabulary": sorted_vocabulary, "one_hot": one_hot}
some_words = st.lists(st.sampled_from(["the", "The", "cat", "sat", "猫", "e\u0301", "é", ""]), max_size=9)


# hashed


def test_hashed_is_the_same_on_every_machine() -> None:
    """Numbers of the first release: experiments that people have shared depend on them."""
    assert hashed(["the", "猫"], 3).tolist() == [
        [1.3528457880020142, 1.0212103128433228, -0.3875727951526642],
        [0.7149538397789001, 0.04625028371810913, 0.5060262084007263],
    ]
    assert hashed(["the"], 17, seed=5)[0, [0, 8, 16]].tolist() == [
        -0.3117998540401459,
        -2.2334351539611816,
        -0.8624901175498962,
    ]


def test_hashed_by_its_recipe() -> None:
    """SHA-256 of what the numbers are for, written out once more."""
    purpose = "\0".join(["7", "hashed embedding", "19", "naïve".encode().hex()])
    seed = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big") >> 1
    generator = torch.Generator().manual_seed(seed)
    expected = torch.randn(19, generator=generator, dtype=torch.float64).float()
    assert torch.equal(hashed(["a", "naïve"], 19, 7)[1], expected)


def test_hashed_does_not_depend_on_the_processor() -> None:
    """The plain instructions of any processor, in a fresh interpreter, against those of this one."""
    code = """if True:
        from attention_core.embeddings import hashed
        print(hashed(['the', '\\u732b'], 67).numpy().tobytes().hex())
    """
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert done.stdout.decode().strip() == hashed(["the", "猫"], 67).numpy().tobytes().hex()


@given(some_words, st.integers(0, 3), st.data())
def test_changing_one_word_leaves_the_others(words: list[str], seed: int, data: st.DataObject) -> None:
    words = [*words, "cat"]
    at = data.draw(st.integers(0, len(words) - 1))
    changed = [*words[:at], "something else", *words[at + 1 :]]
    before, after = hashed(words, 5, seed), hashed(changed, 5, seed)
    others = [i for i in range(len(words)) if i != at]
    assert torch.equal(before[others], after[others])
    assert not torch.equal(before[at], after[at])


@given(some_words)
def test_equal_words_and_only_they_have_equal_vectors(words: list[str]) -> None:
    vectors = hashed(words, 5)
    for i, a in enumerate(words):
        for j, b in enumerate(words):
            assert torch.equal(vectors[i], vectors[j]) == (a == b)


def test_seed_and_width_each_give_other_numbers() -> None:
    first = hashed(["cat"], 3)
    assert not torch.equal(first, hashed(["cat"], 3, seed=1))
    assert not torch.equal(first, hashed(["cat"], 4)[:, :3])


def test_hashed_numbers_are_standard_normal_and_unrelated() -> None:
    vectors = hashed([f"word {i}" for i in range(2000)], 11)
    assert abs(vectors.mean().item()) < 4 / 22_000**0.5
    assert abs(vectors.var().item() - 1) < 4 * (2 / 22_000) ** 0.5
    beyond = (vectors.abs() > 1.959964).float().mean().item()  # 5 % of a normal distribution
    assert abs(beyond - 0.05) < 4 * (0.05 * 0.95 / 22_000) ** 0.5
    correlation = torch.corrcoef(vectors.T) - torch.eye(11)
    assert correlation.abs().max().item() < 5 / 2000**0.5
    assert abs((vectors[1:] * vectors[:-1]).mean().item()) < 4 / 22_000**0.5


def test_any_string_is_a_word() -> None:
    words = ["", "\0", "\ud800", "\udfff", "?", "a\0b", "\u200d", "0", " "]
    vectors = hashed(words, 3)
    assert len({tuple(row) for row in vectors.tolist()}) == len(words)


def test_many_words_are_drawn_once() -> None:
    vectors = hashed(["to", "be"] * 50_000, 64)
    assert vectors.shape == (100_000, 64)
    assert torch.equal(vectors[-2:], hashed(["to", "be"], 64))


# sorted_vocabulary


@pytest.mark.parametrize("order", ["article_order", "published_order"])
def test_the_vectors_of_the_article(order: str) -> None:
    expected = torch.tensor(ARTICLE[order]["embedding"])
    actual = sorted_vocabulary(ARTICLE[order]["sentence"].split(), 3)
    torch.testing.assert_close(actual, expected, rtol=0, atol=6e-7)  # printed to 6 decimals


@pytest.mark.parametrize("width", [1, 3, 5, 7, 16, 33])
@pytest.mark.parametrize("seed", [0, 123, 2**63])
@pytest.mark.parametrize("sentence", ["one", "Life is short eat dessert first", "to be or not to be"])
def test_the_rows_are_those_of_an_embedding_layer(sentence: str, width: int, seed: int) -> None:
    words = sentence.split()
    vocabulary = {word: index for index, word in enumerate(sorted(words))}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = nn.Embedding(50_000, width)
    expected = layer(torch.tensor([vocabulary[word] for word in words])).detach()
    assert torch.equal(sorted_vocabulary(words, width, seed), expected)


def test_the_last_row_of_the_layer_too() -> None:
    words = [f"{i:05}" for i in range(50_000)]
    with torch.random.fork_rng():
        torch.manual_seed(123)
        layer = nn.Embedding(50_000, 3)
    assert torch.equal(sorted_vocabulary(words, 3), layer.weight.detach())
    with pytest.raises(ValueError, match="words=50,001 of them: allowed are at most 50,000"):
        sorted_vocabulary([*words, "x"], 3)


def test_a_wide_table_is_not_drawn_whole() -> None:
    """50,000 rows of this width would take 200 gigabytes."""
    assert sorted_vocabulary(["a", "b"], 1_000_000).shape == (2, 1_000_000)


# one_hot


def test_one_hot_by_hand() -> None:
    # sorted: B, a, c
    expected = [[0.0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]
    assert one_hot(["c", "a", "c", "B"], 4).tolist() == expected


def test_one_hot_needs_a_place_for_each_distinct_word() -> None:
    assert torch.equal(one_hot(["a", "b", "a"], 2), torch.tensor([[1.0, 0], [0, 1], [1, 0]]))
    with pytest.raises(ValueError, match="width=2: allowed are whole numbers from 3"):
        one_hot(["a", "b", "c", "a"], 2)


# all of them


@pytest.mark.parametrize("recipe", EMBEDDINGS)
def test_embed_is_the_recipe_of_that_name(recipe: str) -> None:
    words = ["b", "a", "b", "c"]
    function = RECIPES[recipe]
    expected = one_hot(words, 5) if function is one_hot else function(words, 5, 123)
    assert torch.equal(embed(words, 5, recipe=recipe, seed=123), expected)


def test_embed_hashes_with_seed_0_unless_told() -> None:
    assert torch.equal(embed(["a"], 3), hashed(["a"], 3, 0))


@pytest.mark.parametrize("recipe", EMBEDDINGS)
def test_the_global_generator_stays_as_it_is(recipe: str) -> None:
    state = torch.get_rng_state()
    first = embed(["a", "b"], 3, recipe=recipe)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)
    assert torch.equal(embed(["a", "b"], 3, recipe=recipe), first)


@pytest.mark.parametrize("recipe", EMBEDDINGS)
def test_float32_unless_asked_and_the_same_numbers(recipe: str) -> None:
    single = embed(["a", "b"], 3, recipe=recipe)
    double = embed(["a", "b"], 3, recipe=recipe, dtype=torch.float64)
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert torch.equal(single.double(), double)


@pytest.mark.parametrize("recipe", EMBEDDINGS)
def test_no_words_no_vectors(recipe: str) -> None:
    assert embed([], 3, recipe=recipe).shape == (0, 3)


@pytest.mark.parametrize("recipe", EMBEDDINGS)
def test_the_words_are_left_alone(recipe: str) -> None:
    words = ["b", "a", "b"]
    embed(words, 3, recipe=recipe)
    assert words == ["b", "a", "b"]


@pytest.mark.parametrize("recipe", EMBEDDINGS)
def test_wrong_input_is_named(recipe: str) -> None:
    with pytest.raises(ValueError, match="width=0: allowed are whole numbers from 1"):
        embed(["a"], 0, recipe=recipe)
    with pytest.raises(ValueError, match="words='cat': allowed is a sequence of words"):
        embed("cat", 3, recipe=recipe)


def test_a_wrong_seed_or_recipe_is_named() -> None:
    with pytest.raises(ValueError, match="seed=-1: allowed are whole numbers from 0"):
        embed(["a"], 3, seed=-1)
    with pytest.raises(ValueError, match=r"seed=18446744073709551616: allowed are .* to 2\*\*64 - 1"):
        sorted_vocabulary(["a"], 3, 2**64)
    with pytest.raises(ValueError, match="recipe='glove': allowed are 'hashed', 'sorted_vocabulary', 'one_hot'"):
        embed(["a"], 3, recipe="glove")
