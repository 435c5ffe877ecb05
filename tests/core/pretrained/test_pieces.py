"""Tokens as text: spaces, Chinese, and bytes that make no character."""

from __future__ import annotations

import pytest

from attention_core.pretrained.pieces import bytes_of, is_byte_level, piece_text, piece_texts
from tests.core.pretrained.test_reading import loaded


@pytest.mark.parametrize("text", [" the", "太阳", "é", " <b>$x$</b>", "\n", "🙂", "a­b"])
def test_byte_level_pieces_are_read_back(text: str) -> None:
    from tokenizers import pre_tokenizers

    (piece,) = [p for p, _ in pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)]
    assert bytes_of(piece) == text.encode()
    assert piece_text(piece, byte_level=True) == text


def test_all_256_signs_are_known() -> None:
    from tokenizers import pre_tokenizers

    signs = pre_tokenizers.ByteLevel.alphabet()
    assert {bytes_of(sign) for sign in signs} == {bytes([byte]) for byte in range(256)}


def test_broken_characters_show_their_bytes() -> None:
    assert piece_text("å¤ªé", byte_level=True) == "太‹E9›"
    assert piece_text("½", byte_level=True) == "‹BD›"


@pytest.mark.parametrize(("family", "byte_level"), [("gpt2", True), ("llama", True), ("bert", False), ("t5", False)])
def test_the_tokens_spell_the_text(family: str, byte_level: bool) -> None:
    tokenizer = loaded(family).tokenizer
    assert is_byte_level(tokenizer) is byte_level
    numbers = tokenizer("the river bank")["input_ids"]
    special = set(tokenizer.all_special_ids)
    joined = "".join(
        text if text.startswith(" ") or byte_level else f" {text}"
        for number, text in zip(numbers, piece_texts(tokenizer, numbers), strict=True)
        if number not in special
    )
    assert joined.strip() == "the river bank"


def test_special_tokens_keep_their_names() -> None:
    tokenizer = loaded("bert").tokenizer
    assert piece_texts(tokenizer, tokenizer("cat")["input_ids"]) == ("[CLS]", "cat", "[SEP]")
