"""The encoder and the trainer against the plainest loops, and the shipped file against its own recipe."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from importlib import resources
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_core.tokens.bpe import Bpe, Pair, format_merges, parse_merges, pieces, shipped
from attention_core.tokens.bpe_train import MERGES, corpus, train

FILE = resources.files("attention_core") / "data" / "bpe_merges.txt"

few = st.text(st.sampled_from("ab 你"), max_size=30)
small = st.binary(min_size=1, max_size=3).map(lambda b: bytes(b"ab"[x % 2] for x in b))
merge_lists = st.lists(st.tuples(small, small), unique=True, max_size=12)


def merged(tokens: list[bytes], pair: Pair) -> list[bytes]:
    result: list[bytes] = []
    for token in tokens:
        if result and (result[-1], token) == pair:
            result[-1] += token
            result.append(b"")  # what has just been merged is not merged again in the same pass
        elif result and result[-1] == b"":
            result[-1] = token
        else:
            result.append(token)
    return [token for token in result if token]


def encoded_plainly(piece: bytes, merges: tuple[Pair, ...]) -> list[bytes]:
    """The definition: look for the earliest merge that applies, apply its leftmost place, begin again."""
    tokens = [bytes([byte]) for byte in piece]
    while True:
        for pair in merges:
            if pair in pairwise(tokens):
                at = list(pairwise(tokens)).index(pair)
                tokens[at : at + 2] = [pair[0] + pair[1]]
                break
        else:
            return tokens


def readable(token: bytes) -> bool:
    """Whole characters, or a beginning, middle or end of a single one."""
    begun = [i for i, byte in enumerate(token) if byte & 0xC0 != 0x80]
    try:
        token.decode()
    except UnicodeDecodeError:
        return not begun or begun == [0]
    return True


def trained_plainly(text: str, count: int) -> tuple[Pair, ...]:
    """Count everything anew before every merge."""
    words = [[bytes([byte]) for byte in piece.encode()] for piece in pieces(text)]
    merges: list[Pair] = []
    while len(merges) < count:
        counts = Counter(pair for word in words for pair in pairwise(word) if readable(pair[0] + pair[1]))
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < 2:
            break
        merges.append(best)
        words = [merged(word, best) for word in words]
    return tuple(merges)


def test_merges_by_hand() -> None:
    bpe = Bpe([(b"e", b"r"), (b"l", b"o"), (b"lo", b"w"), (b"low", b"er")])
    assert bpe.encode("lower") == (b"lower",)
    assert bpe.encode("slow") == (b"s", b"low")
    assert bpe.encode("lo wer") == (b"lo", b" ", b"w", b"er")  # not across a space


def test_the_earlier_merge_wins_and_the_left_one_of_two() -> None:
    assert Bpe([(b"a", b"b"), (b"b", b"c")]).encode("abc") == (b"ab", b"c")
    assert Bpe([(b"b", b"c"), (b"a", b"b")]).encode("abc") == (b"a", b"bc")
    assert Bpe([(b"a", b"a")]).encode("aaaaa") == (b"aa", b"aa", b"a")
    assert Bpe([(b"a", b"a"), (b"aa", b"aa")]).encode("aaaaaaa") == (b"aaaa", b"aa", b"a")


def test_without_merges_a_token_is_a_byte() -> None:
    assert Bpe([]).encode("né") == (b"n", b"\xc3", b"\xa9")
    assert Bpe([]).encode("") == ()


@given(few, merge_lists)
def test_encoding_follows_the_definition(text: str, merges: list[Pair]) -> None:
    expected = [token for piece in pieces(text) for token in encoded_plainly(piece.encode(), tuple(merges))]
    assert list(Bpe(merges).encode(text)) == expected


@given(st.text(max_size=20))
def test_the_shipped_vocabulary_follows_the_definition(text: str) -> None:
    text += " attention 注意力机制"
    merges = shipped().merges
    expected = [token for piece in pieces(text) for token in encoded_plainly(piece.encode(), merges)]
    assert list(shipped().encode(text)) == expected


@given(st.text())
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_pieces_by_hand() -> None:
    text = " I don’t  know—42 things, 'so' नमस्ते\n\n你好。 🙂x_y"
    expected = " I| don|’t| | know|—|42| things|,| '|so|'| नमस्ते|\n|\n|你好|。| 🙂|x|_|y"
    assert list(pieces(text)) == expected.split("|")
    assert [len(piece) for piece in pieces("a" * 130)] == [64, 64, 2]


def test_training_by_hand() -> None:
    # " low" four times and "low" once; then lo 5, ow 5 (tie: "lo" < "ow"), then low 5, then " low" 4.
    merges = train("low low low low low", 10)
    assert merges == ((b"l", b"o"), (b"lo", b"w"), (b" ", b"low"))


def test_training_stops_at_what_comes_once() -> None:
    assert train("abc", 10) == ()
    assert train("", 10) == ()
    assert train("ab ab", 0) == ()


@given(few, st.integers(0, 12))
def test_training_follows_the_definition(text: str, count: int) -> None:
    assert train(text, count) == trained_plainly(text, count)


def test_training_on_real_text_follows_the_definition() -> None:
    text = corpus()[-1500:]  # Chinese
    assert train(text, 60) == trained_plainly(text, 60)


def test_the_shipped_merges_are_those_that_training_gives() -> None:
    merges = train(corpus(), MERGES)
    assert len(merges) == MERGES
    assert FILE.read_bytes().decode() == format_merges(merges)
    assert shipped().merges == merges


def test_the_script_writes_the_shipped_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    code = (
        "import sys, pathlib, shutil; from attention_core.tokens import bpe_train; out = pathlib.Path(sys.argv[1]);"
        "shutil.copy(bpe_train.DATA / 'bpe_corpus.txt', out); bpe_train.DATA = out; bpe_train.main()"
    )
    out = tmp_path_factory.mktemp("data")
    subprocess.run([sys.executable, "-c", code, str(out)], check=True)
    assert (out / "bpe_merges.txt").read_bytes() == FILE.read_bytes()


def test_the_shipped_vocabulary_is_small_and_readable() -> None:
    assert len(FILE.read_bytes()) < 60_000
    vocabulary = {a + b for a, b in shipped().merges}
    assert len(vocabulary) == MERGES
    assert all(readable(token) for token in vocabulary)
    assert {b" the", b" attention", b" query", "权重".encode()} <= vocabulary


def test_merges_survive_the_file() -> None:
    merges = ((b" ", b"\t"), (b"\n", b"\x00"), (b"\xe4", b"\xbd"), (b"\xe4\xbd", b"\xa0"))
    assert parse_merges(format_merges(merges)) == merges
    assert format_merges(merges).count("\n") == 4


@pytest.mark.parametrize("line", ["20", "20 7", "xx 20", "20 74 68"])
def test_a_broken_line_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=f"line 2='{line}': allowed are two hexadecimal numbers"):
        parse_merges(f"20 74\t' t'\n{line}\n")


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="count=-1: allowed are whole numbers from 0"):
        train("a", -1)
    with pytest.raises(ValueError, match=r"lone surrogate U\+DC00 at character 1"):
        train("a\udc00", 1)
    with pytest.raises(ValueError, match=r"lone surrogate U\+DC00 at character 1"):
        Bpe([]).encode("a\udc00")
