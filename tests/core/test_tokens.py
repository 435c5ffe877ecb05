"""Splits worked by hand in many scripts, and what must hold for any text."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from attention_core.tokens import TOKENIZERS, Token, count_tokens, tokenize
from attention_core.tokens.bpe import shipped
from attention_core.tokens.graphemes import graphemes, words

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
THUMB = "\U0001f44d\U0001f3fd"  # with a skin tone
GERMANY, FRANCE = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
HEART = "\u2764\ufe0f"
KEYCAPS = ["1\ufe0f\u20e3", "2\ufe0f\u20e3"]
INFORMATION = "\u2139\ufe0f"  # a letter that is an emoji

# Every rule of the two splitters meets every other here.
CHARACTERS = (
    "aZé_'’\"-.,!9٣½\u0301 \t\n\r\u00a0\u3000\u200b\ufeff\u200d\u200c\u200e\u00ad\u2060\x00\x1c\u0600\u0d4e"
    "我々かカー゙ｶﾞ한\u1112\u1161\u11abמ״عّनस्ตำ" + FAMILY + THUMB + GERMANY + FRANCE + HEART + "1\u20e3" + INFORMATION
)
mixed = st.text(st.sampled_from(CHARACTERS), max_size=40)
any_text = mixed | st.text(max_size=40)  # st.text has no surrogates unless asked
with_surrogates = st.text(st.characters() | st.sampled_from("\ud800\udfff"), max_size=20)


def texts(text: str, tokenizer: str = "word") -> list[str]:
    return [token.text for token in tokenize(text, tokenizer)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Life is short, eat dessert first.", "Life|is|short|,|eat|dessert|first|."),
        ("I don't; you can’t. It's 90's rock 'n' roll", "I|don't|;|you|can’t|.|It's|90's|rock|'|n|'|roll"),
        ('the dogs\' "bones" ‘here’', 'the|dogs|\'|"|bones|"|‘|here|’'),
        ("L’été à l'école", "L’été|à|l'école"),
        ("pay $3.14 or 1,000,000.50, not 5.", "pay|$|3.14|or|1,000,000.50|,|not|5|."),
        ("v2.0, 12.05.2024; x² + ½ = .5", "v2.0|,|12.05.2024|;|x²|+|½|=|.|5"),
        ("snake_case __init__ state-of-the-art", "snake|_|case|_|_|init|_|_|state|-|of|-|the|-|art"),
        ("end.Next a.5 wait...what?!", "end|.|Next|a|.|5|wait|.|.|.|what|?|!"),
        ("<b>&amp;</b> $x$", "<|b|>|&|amp|;|<|/|b|>|$|x|$"),
        ("e\u0301a cafe\u0301", "e\u0301a|cafe\u0301"),
        ("我爱北京天安门。", "我|爱|北|京|天|安|门|。"),
        ("用GPT写3.5页，好吗？", "用|GPT|写|3.5|页|，|好|吗|？"),
        ("人々〇𠮷〆ㄅㄆ", "人|々|〇|𠮷|〆|ㄅ|ㄆ"),
        ("ひらがなー", "ひ|ら|が|な|ー"),
        ("東京タワーへ行く。", "東|京|タ|ワ|ー|へ|行|く|。"),
        ("ｶﾞか\u3099Ｗｅｂ２", "ｶﾞ|か\u3099|Ｗｅｂ２"),
        ("안녕 세계!", "안|녕|세|계|!"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "\u1112\u1161\u11ab|\u1100\u1173\u11af"),  # 한글, decomposed
        ("مَرْحَبًا بِالعالَم، كيف؟", "مَرْحَبًا|بِالعالَم|،|كيف|؟"),
        ("السعر ٣٫١٤", "السعر|٣٫١٤"),
        ("می\u200cخواهم بروم", "می\u200cخواهم|بروم"),  # Persian: a joiner inside a word
        ("שָׁלוֹם עוֹלָם, צה״ל", "שָׁלוֹם|עוֹלָם|,|צה״ל"),
        ("नमस्ते दुनिया। क्षत्रिय", "नमस्ते|दुनिया|।|क्षत्रिय"),
        ("สวัสดีโลก น้ำ ๑๒", "ส|วั|ส|ดี|โ|ล|ก|น้ำ|๑๒"),
        ("Привет, мир! Γειά σου Ελλάδα", "Привет|,|мир|!|Γειά|σου|Ελλάδα"),
        (f"{FAMILY}{THUMB}{HEART}", f"{FAMILY}|{THUMB}|{HEART}"),
        (f"{GERMANY}{FRANCE}\U0001f1e9", f"{GERMANY}|{FRANCE}|\U0001f1e9"),
        (f"{ENGLAND}go{ENGLAND}!", f"{ENGLAND}|go|{ENGLAND}|!"),
        (f"hi{THUMB}there{FAMILY}我", f"hi|{THUMB}|there|{FAMILY}|我"),
        (f"{KEYCAPS[0]}{KEYCAPS[1]}3a{KEYCAPS[0]}", f"{KEYCAPS[0]}|{KEYCAPS[1]}|3a|{KEYCAPS[0]}"),
        (f"{INFORMATION}info", f"{INFORMATION}|info"),
        ("a\u200eb\u202ec\x00d", "a|\u200e|b|\u202e|c|\x00|d"),  # invisible, yet there
        ("co\u00adoperate\u2060d \ud800x", "co\u00adoperate\u2060d|\ud800|x"),
        (" \t\r\n\u00a0a\u3000\u2028b\u200bc\ufeff", "a|b|c"),
        (" \u0301x \u0600 y\u0600z", "\u0301|x|\u0600|y|\u0600z"),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert texts(text) == expected.split("|")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("né e\u0301", ["n", "é", " ", "e\u0301"]),
        ("a\r\n\tb", ["a", "\r\n", "\t", "b"]),
        ("नमस्ते", ["न", "म", "स्ते"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("مَر", ["مَ", "ر"]),
        ("한\u1112\u1161\u11ab글", ["한", "\u1112\u1161\u11ab", "글"]),
        (f"{FAMILY}{THUMB}{GERMANY}{FRANCE}{ENGLAND}", [FAMILY, THUMB, GERMANY, FRANCE, ENGLAND]),
        (f"{HEART}{KEYCAPS[0]}", [HEART, KEYCAPS[0]]),
        ("\U0001f1e9" * 5, ["\U0001f1e9\U0001f1e9", "\U0001f1e9\U0001f1e9", "\U0001f1e9"]),
        ("\x00\u200e\ud800", ["\x00", "\u200e", "\ud800"]),
    ],
)
def test_characters(text: str, expected: list[str]) -> None:
    assert texts(text, "character") == expected


def test_bytes() -> None:
    assert tokenize("aé 你~\x7f", "byte") == (
        Token("a", 0, 1),
        Token("C3", 1, 2),
        Token("A9", 1, 2),
        Token(" ", 2, 3),
        Token("E4", 3, 4),
        Token("BD", 3, 4),
        Token("A0", 3, 4),
        Token("~", 4, 5),
        Token("7F", 5, 6),
    )


def test_bpe_names_and_places() -> None:
    assert tokenize("The attention 权重", "bpe") == (
        Token("The", 0, 3),
        Token(" attention", 3, 13),
        Token(" ", 13, 14),
        Token("权重", 14, 16),
    )
    assert tokenize("a🜨b", "bpe") == (
        Token("a", 0, 1),
        Token("<F0>", 1, 2),
        Token("<9F>", 1, 2),
        Token("<9C>", 1, 2),
        Token("<A8>", 1, 2),
        Token("b", 2, 3),
    )


def test_nothing_is_not_a_token() -> None:
    for tokenizer in TOKENIZERS:
        assert tokenize("", tokenizer) == ()
    assert tokenize(" \n\t ") == ()


def test_word_is_the_default() -> None:
    assert tokenize("a b") == tokenize("a b", "word") != tokenize("a b", "character")


def test_an_unknown_tokenizer_is_named() -> None:
    with pytest.raises(ValueError, match="tokenizer='words': allowed are 'word', 'character', 'byte', 'bpe'"):
        tokenize("a", "words")


@pytest.mark.parametrize("tokenizer", ["byte", "bpe"])
def test_a_lone_surrogate_has_no_bytes(tokenizer: str) -> None:
    with pytest.raises(ValueError, match=r"text has the lone surrogate U\+D83D at character 2: allowed are"):
        tokenize("ab\ud83d", tokenizer)


@given(any_text | with_surrogates)
def test_word_tokens_leave_out_space_and_nothing_else(text: str) -> None:
    end = 0
    for token in tokenize(text):
        assert end <= token.start < token.end
        assert text[token.start : token.end] == token.text
        assert not regex.search(r"[\s\u200b\ufeff]", token.text)
        assert regex.fullmatch(r"[\s\u200b\ufeff]*", text[end : token.start])
        end = token.end
    assert regex.fullmatch(r"[\s\u200b\ufeff]*", text[end:])


@given(any_text, any_text)
def test_words_do_not_depend_on_what_stands_behind_a_space(left: str, right: str) -> None:
    moved = [Token(t.text, t.start + len(left) + 1, t.end + len(left) + 1) for t in tokenize(right)]
    assert tokenize(f"{left} {right}") == (*tokenize(left), *moved)


@given(mixed)
def test_a_word_ends_where_a_character_ends(text: str) -> None:
    text = regex.sub(r"[\s\p{GCB=Prepend}]", "", text)  # a mark behind a space, a prefix before a flag
    edges = {token.end for token in tokenize(text, "character")}
    assert {token.end for token in tokenize(text)} <= edges


@given(any_text | with_surrogates)
def test_characters_are_the_grapheme_clusters(text: str) -> None:
    assert texts(text, "character") == regex.findall(r"\X", text)
    end = 0
    for token in tokenize(text, "character"):
        assert token.start == end
        assert text[token.start : token.end] == token.text
        end = token.end
    assert end == len(text)


@given(any_text)
def test_bytes_come_back(text: str) -> None:
    tokens = tokenize(text, "byte")
    values = [ord(t.text) if len(t.text) == 1 else int(t.text, 16) for t in tokens]
    assert bytes(values) == text.encode()
    assert [t.start for t in tokens] == [i for i, c in enumerate(text) for _ in c.encode()]
    assert all(t.end == t.start + 1 for t in tokens)


@given(any_text)
def test_bpe_comes_back_and_keeps_its_place(text: str) -> None:
    parts, tokens = shipped().encode(text), tokenize(text, "bpe")
    owner = [i for i, c in enumerate(text) for _ in c.encode()]  # the character of each byte
    assert b"".join(parts) == text.encode()
    assert len(parts) == len(tokens)
    begin = 0
    for part, token in zip(parts, tokens, strict=True):
        assert (token.start, token.end) == (owner[begin], owner[begin + len(part) - 1] + 1)
        if len(text[token.start : token.end].encode()) == len(part):
            assert token.text == text[token.start : token.end]
        else:
            assert token.text == f"<{part.hex().upper()}>"
            assert token.end == token.start + 1
        begin += len(part)


@given(any_text, st.sampled_from(TOKENIZERS), st.integers(0, 12))
def test_counting_stops_one_beyond_the_most(text: str, tokenizer: str, most: int) -> None:
    assert count_tokens(text, tokenizer, most) == min(len(tokenize(text, tokenizer)), most + 1)


def test_counting_refuses_what_cutting_refuses() -> None:
    with pytest.raises(ValueError, match="tokenizer='sentence'"):
        count_tokens("a", "sentence", 1)
    with pytest.raises(ValueError, match="lone surrogate"):
        count_tokens("\ud800", "bpe", 1)


def count_words(text: str) -> int:
    return sum(1 for _ in words(text))


def count_graphemes(text: str) -> int:
    return sum(1 for _ in graphemes(text))


def count_bpe(text: str) -> int:
    return len(shipped().encode(text))


@pytest.mark.parametrize("count", [count_words, count_graphemes, count_bpe])
@pytest.mark.parametrize(
    "unit",
    ["It's a new 3.14 world! ", "我喜欢学习", "a", "a'", "1.", "\U0001f1e9", "\u0301", "\u0600", FAMILY, " "],
    ids=ascii,
)
def test_time_is_linear(count: Callable[[str], int], unit: str) -> None:
    """A second at most; what counts back at every step needs minutes."""
    began = time.process_time()
    assert count(unit * (100_000 // len(unit))) > 0 or unit == " "
    assert time.process_time() - began < 10


def test_a_million_characters() -> None:
    assert count_words("Don't split 3.14, please.\n" * 40_000) == 6 * 40_000
