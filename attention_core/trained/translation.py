"""English to Chinese: four kinds of sentences whose words change places, and one word with two meanings."""

from __future__ import annotations

from random import Random

from attention_core.trained.batch import Example
from attention_core.trained.model import Shape
from attention_core.trained.task import Drawn, Recipe, Task
from attention_core.trained.vocabulary import Vocabulary, typed_words, words_of

__all__ = ["ENGLISH", "translation"]

# English: (Chinese, measure word). A translation may be several Chinese words.
PEOPLE = {
    "boy": "男孩",
    "girl": "女孩",
    "teacher": "老师",
    "doctor": "医生",
    "farmer": "农民",
    "student": "学生",
    "child": "孩子",
    "mother": "母亲",
    "father": "父亲",
    "friend": "朋友",
    "soldier": "士兵",
    "writer": "作家",
}
VERBS_AT_THE_BANK = {
    "sat on": ("坐", "在"),
    "waited at": ("等", "在"),
    "walked to": ("走", "到"),
    "stood near": ("站", "在"),
}
MONEY = {
    "to open an account": "开户",
    "to get cash": "取款",
    "to pay a bill": "付账",
    "to ask for a loan": "借款",
    "to save money": "存款",
}
RIVER = {
    "to catch fish": "钓鱼",
    "to watch the boats": "看船",
    "to feed the ducks": "喂鸭",
    "to wash the horse": "洗马",
    "to swim": "游泳",
}
VERBS = {"bought": "买", "saw": "看见", "found": "找到", "lost": "丢", "sold": "卖"}
THINGS = {
    "book": ("书", "本"),
    "apple": ("苹果", "个"),
    "table": ("桌子", "张"),
    "cat": ("猫", "只"),
    "knife": ("刀", "把"),
    "fish": ("鱼", "条"),
}
COLOURS = {"red": "红", "big": "大", "new": "新", "good": "好"}
PLACES = {"in the city": "城里", "at the market": "市场", "at school": "学校", "at home": "家里"}
TIMES = {"today": "今天", "yesterday": "昨天", "last year": "去年"}
LIGHTS = {"sun": "太阳", "moon": "月亮", "star": "星星", "comet": "彗星"}
MOVES = {
    "rises in": ("从", "升起"),
    "sets in": ("在", "落下"),
    "comes from": ("从", "过来"),
    "goes to": ("往", "过去"),
}
DIRECTIONS = {"east": "东方", "west": "西方", "north": "北方", "south": "南方"}
PARTS = {"door": "门", "colour": "颜色", "roof": "屋顶", "smell": "气味", "shape": "形状"}
OWNERS = {
    "house": "房子",
    "school": "学校",
    "church": "教堂",
    "hotel": "酒店",
    "shop": "商店",
    "castle": "城堡",
}
QUALITIES = {"beautiful": "美", "strange": "怪", "big": "大", "new": "新", "good": "好", "old": "旧"}

Piece = tuple[str, str]  # words, and the name by which the two languages meet; "" where they do not


def _bank(numbers: Random) -> tuple[list[Piece], list[Piece]]:
    person, verb = numbers.choice(list(PEOPLE)), numbers.choice(list(VERBS_AT_THE_BANK))
    tails = numbers.choice((MONEY, RIVER))
    tail = numbers.choice(list(tails))
    what, preposition = VERBS_AT_THE_BANK[verb]
    action, _, particle = verb.partition(" ")
    english = [
        ("the", ""),
        (person, "who"),
        (action, "does"),
        (particle, ""),
        ("the bank", ""),
        (tail, "why"),
    ]
    chinese = [
        (PEOPLE[person], "who"),
        (what, "does"),
        (preposition, ""),
        (
            "银行" if tails is MONEY else "河岸",
            "",
        ),  # its look is shared between "bank" and the tail: not scored
        (tails[tail], "why"),
    ]
    return english, chinese


def _transitive(numbers: Random) -> tuple[list[Piece], list[Piece]]:
    person, verb, thing = (numbers.choice(list(words)) for words in (PEOPLE, VERBS, THINGS))
    adjective = numbers.choice(list(COLOURS)) if numbers.random() < 0.5 else None
    place = numbers.choice(list(PLACES)) if numbers.random() < 0.5 else None
    time = numbers.choice(list(TIMES)) if numbers.random() < 0.5 else None
    noun, measure = THINGS[thing]
    english: list[Piece] = [("the", ""), (person, "who"), (verb, "does"), ("a", "one")]
    chinese: list[Piece] = [(PEOPLE[person], "who")]
    if time:
        chinese.append((TIMES[time], "when"))
    if place:
        chinese += [("在", ""), (PLACES[place], "where")]
    chinese += [(VERBS[verb], "does"), ("了", ""), ("一", "one"), (measure, "")]
    if adjective:
        english.append((adjective, "how"))
        chinese.append((COLOURS[adjective], "how"))
    english.append((thing, "what"))
    chinese.append((noun, "what"))
    if place:
        english.append((place, "where"))
    if time:
        english.append((time, "when"))
    return english, chinese


def _sky(numbers: Random) -> tuple[list[Piece], list[Piece]]:
    light, move, direction = (numbers.choice(list(words)) for words in (LIGHTS, MOVES, DIRECTIONS))
    preposition, what = MOVES[move]
    action, _, particle = move.partition(" ")
    english = [
        ("the", ""),
        (light, "who"),
        (action, "does"),
        (particle, ""),
        ("the", ""),
        (direction, "where"),
    ]
    chinese = [(LIGHTS[light], "who"), (preposition, ""), (DIRECTIONS[direction], "where"), (what, "does")]
    return english, chinese


def _possessive(numbers: Random) -> tuple[list[Piece], list[Piece]]:
    part, owner, quality = (numbers.choice(list(words)) for words in (PARTS, OWNERS, QUALITIES))
    english = [("the", ""), (part, "part"), ("of the", ""), (owner, "owner"), ("is", ""), (quality, "how")]
    chinese = [
        (OWNERS[owner], "owner"),
        ("的", ""),
        (PARTS[part], "part"),
        ("很", ""),
        (QUALITIES[quality], "how"),
    ]
    return english, chinese


def _all(*groups: object) -> str:
    return " ".join(str(word) for group in groups if isinstance(group, dict) for word in group)


ENGLISH = Vocabulary(
    (
        "the a of is bank "
        + _all(PEOPLE, VERBS_AT_THE_BANK, MONEY, RIVER, VERBS, THINGS, COLOURS, PLACES, TIMES)
        + " "
        + _all(LIGHTS, MOVES, DIRECTIONS, PARTS, OWNERS, QUALITIES)
    ).split()
)
CHINESE = Vocabulary(
    [
        *words_of("银行 河岸 在 到 了 一 的 很"),
        *(word for pair in VERBS_AT_THE_BANK.values() for word in pair),
        *(word for pair in (*THINGS.values(), *MOVES.values()) for word in pair),
        *(
            word
            for words in (
                PEOPLE,
                MONEY,
                RIVER,
                VERBS,
                COLOURS,
                PLACES,
                TIMES,
                LIGHTS,
                DIRECTIONS,
                PARTS,
                OWNERS,
            )
            for word in words.values()
        ),
        *QUALITIES.values(),
    ]
)
KINDS = (_bank, _transitive, _sky, _possessive)
SHARES = (35, 26, 19, 20)
LENGTH = 16


def draw(numbers: Random) -> Drawn:
    """A sentence of one of the four kinds. The split goes by the English sentence."""
    english, chinese = numbers.choices(KINDS, SHARES)[0](numbers)
    words: list[str] = []
    places: dict[str, set[int]] = {}
    for text, name in english:
        for word in text.split():
            if name:
                places.setdefault(name, set()).add(len(words))
            words.append(word)
    target = [word for word, _ in chinese]
    looks = [places.get(name, set()) for _, name in chinese]
    return Example(ENGLISH.encode(words), CHINESE.encode(target), looks), " ".join(words)


def read(text: str) -> tuple[str, ...]:
    """The words of an English sentence, at most 16, else ValueError."""
    words = typed_words(text)
    ENGLISH.encode(words)
    if not 1 <= len(words) <= LENGTH:
        raise ValueError(f"{len(words)} words: allowed are 1 to {LENGTH}")
    return words


translation = Task(
    name="translation",
    about="an English sentence in Chinese, word by word",
    words=ENGLISH,
    answers=CHINESE,
    shape=Shape(
        words=len(ENGLISH),
        answers=len(CHINESE),
        length=LENGTH,
        heads=4,
        d_ff=128,
        values="words",
        causal=True,
    ),
    recipe=Recipe(steps=1000, rate=3e-3, warmup=100, smoothing=0.1),
    watched=("cross1", 0),
    draw=draw,
    read=read,
    asked=lambda words: (),
    inputs=(
        "the girl bought a red apple at the market yesterday",
        "the farmer sat on the bank to catch fish",
        "the farmer sat on the bank to get cash",
        "the sun rises in the east",
        "the door of the house is beautiful",
    ),
    writes=True,
    longest=LENGTH,
    data=(
        "four kinds of sentences, about 100 words a language: at the bank (银行 for money, 河岸 at the river), "
        "somebody did something, the sky, and the parts of a thing; 20 % of the sentences never occur in training"
    ),
)
