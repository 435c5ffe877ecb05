"""One word in two sentences: which tokens it consists of, and how alike its vectors are."""

from __future__ import annotations

import pytest
import torch

from attention_core.pretrained import PretrainedError, Side, read
from attention_core.pretrained.overview import small_maps
from attention_core.pretrained.vectors import likeness, places_of, word_vectors
from tests.core.pretrained.test_reading import found, loaded


def side(text: str, *pieces: str, spans: bool = True) -> Side:
    at, places = 0, []
    for piece in pieces:
        start = text.index(piece.strip("# "), at)
        at = start + len(piece.strip("# "))
        places.append((start, at))
    return Side(text, pieces, (False,) * len(pieces), tuple(places) if spans else None, torch.zeros(1, len(pieces), 2))


def test_a_word_is_found_whole_before_it_is_found_in_another() -> None:
    assert places_of(side("the banker saw the Bank", "the", " bank", "er", " saw", " the", " Bank"), "bank") == (5,)
    assert places_of(side("the banker", "the", " bank", "er"), "BANKER") == (1, 2)
    assert places_of(side("the banker", "the", " bank", "er"), "bank") == (1,)
    assert places_of(side("太阳从东方升起", "太", "阳", "从", "东方", "升起"), "东方") == (3,)


def test_letters_that_become_more_when_their_case_is_folded_shift_nothing() -> None:
    pieces = ("Große", "Füße", ",", "große", "Straße", ":", "the", "bank", "is", "here", ".")
    street = side("Große Füße, große Straße: the bank is here.", *pieces)
    assert places_of(street, "bank") == (7,)
    assert places_of(street, "STRASSE") == places_of(street, "straße") == (4,)
    assert places_of(side("Eine straße.", "Eine", "st", "##raße", "."), "straße") == (1, 2)
    final = side("The ﬁnal ﬁsh sat by the bank.", "The", "ﬁnal", "ﬁsh", "sat", "by", "the", "bank", ".")
    assert places_of(final, "bank") == (6,)
    assert places_of(side("İzmir and the bank", "İzmir", "and", "the", "bank"), "bank") == (3,)


def test_without_places_neighbours_that_spell_it_are_taken() -> None:
    spelled = side("the river bank", "the", " ri", "##ver", " bank", spans=False)
    assert places_of(spelled, "River") == (1, 2)
    with pytest.raises(PretrainedError, match="“tree” does not stand in “the river bank”"):
        places_of(spelled, "tree")


def test_a_word_that_is_not_there_is_said() -> None:
    for word in ("money", "", "  "):
        with pytest.raises(PretrainedError, match="does not stand in"):
            places_of(found("bert").source, word)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5", "marian"])
def test_the_tokens_of_a_word_spell_it(family: str) -> None:
    text = found(family).source
    spelled = "".join(text.tokens[place] for place in places_of(text, "river"))
    assert spelled.strip() == "river"


def test_the_same_word_in_the_same_sentence_is_the_same_vector() -> None:
    model = loaded("bert")
    first, again, other = (
        read(model, text).source for text in ("he sat on the bank", "he sat on the bank", "the bank grew")
    )
    vectors = [word_vectors(one, places_of(one, "bank")) for one in (first, again, other)]
    assert likeness(vectors[0], vectors[1]) == pytest.approx([1.0] * 3, abs=1e-6)
    a, b = vectors[0].double(), vectors[2].double()
    wanted = [float(x @ y / (x.norm() * y.norm())) for x, y in zip(a, b, strict=True)]
    assert likeness(vectors[0], vectors[2]) == pytest.approx(wanted, abs=1e-6)
    assert max(wanted) < 0.999


def test_a_word_of_several_tokens_is_their_mean() -> None:
    one = found("gpt2").source
    places = places_of(one, "river")
    assert len(places) > 1
    torch.testing.assert_close(word_vectors(one, places)[1], sum(one.hidden[1, p] for p in places) / len(places))


def test_small_maps_keep_the_largest_weight_and_what_is_forbidden() -> None:
    layers = list(found("gpt2").layers.values())
    count = layers[0].weights.shape[-1]
    maps, forbidden = small_maps(layers, 8 * 16)
    step = -(-count // 4)
    for block, row, col in ((0, 0, 0), (3, 1, 0), (7, maps.shape[1] - 1, 2)):
        rows, cols = slice(row * step, (row + 1) * step), slice(col * step, (col + 1) * step)
        assert maps[block, row, col] == layers[block // 4].weights[block % 4, rows, cols].max()
    assert bool(forbidden[0, 0, 1]) and not bool(forbidden[0].diagonal().any())
    whole, _ = small_maps(layers, 10**6)
    assert torch.equal(whole[5], layers[1].weights[1])
