"""How a sample of each task is drawn, as plain Python for the generated script.

Written out by hand instead of being copied from `attention_core.trained`, so that the script is a second, independent
computation. The words stand in it as literals. Each `draw` gives the words that are read, the answer at each place
(None where nothing is asked), the places that each answer comes from, and what decides the sample's split.
"""

from __future__ import annotations

from collections.abc import Mapping

from attention_core.codegen.script import literal
from attention_core.trained import coreference, dates, induction, translation
from attention_core.trained.task import Task

__all__ = ["data"]

_LETTERS = '''\
def draw(numbers):
    """Ten letters; {what}."""
    letters = numbers.choices("abcdefghijklmnopqrstuvwxyz", k=length)
    {answer}
    return letters, answer, looks, "".join(letters)
'''

_REVERSAL = """answer = letters[::-1]
    looks = [{length - 1 - i} for i in range(length)]"""

_SORTING = """answer = sorted(letters)
    looks = [{i for i, letter in enumerate(letters) if letter == found} for found in answer]"""

_INDUCTION = '''\
def draw(numbers):
    """Episodes of fresh words in chunks of 2 to 4, then the same chunks in a shuffled order.

    In the second pass the next word follows from the first, except after the last word of a chunk.
    """
    fresh, text, predictable = list(words), [], []
    numbers.shuffle(fresh)
    while len(text) < length:
        size = numbers.randint(8, 20)
        episode, fresh = fresh[:size], fresh[size:]
        chunks = []
        while episode:
            cut = numbers.randint(2, 4)
            chunks.append(episode[:cut])
            episode = episode[cut:]
        shuffled = numbers.sample(chunks, len(chunks))
        text += [word for chunk in chunks for word in chunk]
        for chunk in shuffled:
            predictable += range(len(text), len(text) + len(chunk) - 1)
            text += chunk
    text = text[:length]
    answer, looks = [None] * length, [set() for _ in range(length)]
    for i in predictable:
        if i < length - 1:
            answer[i], looks[i] = text[i + 1], {text.index(text[i]) + 1}
    return text, answer, looks, " ".join(text)
'''

_COREFERENCE = '''\
def draw(numbers):
    """Two nouns of different kinds and an adjective that fits one of them: "it" is that one."""
    kinds = numbers.sample(list(nouns), 2)
    pair = [numbers.choice(nouns[kind]) for kind in kinds]
    meant = numbers.randrange(2)
    adjective = numbers.choice(adjectives[kinds[meant]])
    text, place = [], {}
    for word in numbers.choice(patterns).split():
        if word in ("X", "Y"):
            if numbers.random() < 0.3:
                text.append(numbers.choice(modifiers))
            noun = "XY".index(word)
            place[noun] = len(text)
            text.append(pair[noun])
        else:
            text.append(adjective if word == "J" else word)
    it = text.index("it")
    answer, looks = [None] * len(text), [set() for _ in text]
    answer[it], looks[it] = pair[meant], {place[meant]}
    return text, answer, looks, (pair[meant], adjective)
'''

_TRANSLATION = '''\
def at_the_bank(numbers):
    person, verb = numbers.choice(list(people)), numbers.choice(list(verbs_at_the_bank))
    tails = numbers.choice((money, river))
    tail = numbers.choice(list(tails))
    does, preposition = verbs_at_the_bank[verb]
    action, particle = verb.split()
    english = [("the", ""), (person, "who"), (action, "does"), (particle, ""), ("the bank", ""), (tail, "why")]
    bank = "银行" if tails is money else "河岸"
    return english, [(people[person], "who"), (does, "does"), (preposition, ""), (bank, ""), (tails[tail], "why")]


def somebody_did(numbers):
    person, verb, thing = (numbers.choice(list(found)) for found in (people, verbs, things))
    adjective = numbers.choice(list(colours)) if numbers.random() < 0.5 else None
    place = numbers.choice(list(places)) if numbers.random() < 0.5 else None
    time = numbers.choice(list(times)) if numbers.random() < 0.5 else None
    noun, measure = things[thing]
    english = [("the", ""), (person, "who"), (verb, "does"), ("a", "one")]
    chinese = [(people[person], "who")]
    chinese += [(times[time], "when")] if time else []
    chinese += [("在", ""), (places[place], "where")] if place else []
    chinese += [(verbs[verb], "does"), ("了", ""), ("一", "one"), (measure, "")]
    if adjective:
        english.append((adjective, "how"))
        chinese.append((colours[adjective], "how"))
    english.append((thing, "what"))
    chinese.append((noun, "what"))
    english += [(place, "where")] if place else []
    english += [(time, "when")] if time else []
    return english, chinese


def in_the_sky(numbers):
    light, move, direction = (numbers.choice(list(found)) for found in (lights, moves, directions))
    preposition, does = moves[move]
    action, particle = move.split()
    english = [("the", ""), (light, "who"), (action, "does"), (particle, ""), ("the", ""), (direction, "where")]
    return english, [(lights[light], "who"), (preposition, ""), (directions[direction], "where"), (does, "does")]


def part_of(numbers):
    part, owner, quality = (numbers.choice(list(found)) for found in (parts, owners, qualities))
    english = [("the", ""), (part, "part"), ("of the", ""), (owner, "owner"), ("is", ""), (quality, "how")]
    chinese = [(owners[owner], "owner"), ("的", ""), (parts[part], "part"), ("很", ""), (qualities[quality], "how")]
    return english, chinese


def draw(numbers):
    """A sentence of one of four kinds; words of the same name in both languages belong together."""
    kinds = (at_the_bank, somebody_did, in_the_sky, part_of)
    english, chinese = numbers.choices(kinds, (35, 26, 19, 20))[0](numbers)
    text, place = [], {}
    for piece, name in english:
        for word in piece.split():
            if name:
                place.setdefault(name, set()).add(len(text))
            text.append(word)
    return text, [word for word, _ in chinese], [place.get(name, set()) for _, name in chinese], " ".join(text)
'''

_DATES = '''\
def draw(numbers):
    """Any day of two centuries in any of eight formats, character by character, and the same day as year-month-day."""
    first, last = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
    day = first + datetime.timedelta(days=numbers.randrange((last - first).days + 1))
    ending = "th" if 11 <= day.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    month = months[day.month - 1]
    pieces = {
        "Y": [(str(day.year), "year")],
        "M": [(month, "month")],
        "S": [(month[:3], "month")],  # its first three letters
        "N": [(str(day.month), "month")],
        "P": [(f"{day.month:02}", "month")],  # with two digits
        "D": [(str(day.day), "day")],
        "W": [(weekdays[day.weekday()], "")],
        "T": [(str(day.day), "day"), (ending, "")],
    }
    text, fields = [], []
    for sign in numbers.choice(formats):
        for piece, field in pieces.get(sign, [(sign, "")]):
            text += piece.lower()
            fields += [field] * len(piece)
    place = {name: {i for i, field in enumerate(fields) if field == name} for name in ("year", "month", "day")}
    asked = ["year"] * 4 + [""] + ["month"] * 2 + [""] + ["day"] * 2
    return text, list(day.isoformat()), [place.get(name, set()) for name in asked], day.isoformat()
'''


def data(task: Task) -> list[str]:
    """The paragraphs: the words as literals, then `draw`."""
    name = task.name
    if name == "translation":
        named = "people verbs_at_the_bank money river verbs things colours places times "
        named += "lights moves directions parts owners qualities"
        tables = "".join(_named(one, getattr(translation, one.upper())) for one in named.split())
        return [_vocabulary(task), tables, *_functions(_TRANSLATION)]
    if name == "coreference":
        tables = _named("nouns", coreference.NOUNS) + _named("adjectives", coreference.ADJECTIVES)
        tables += _named("modifiers", coreference.MODIFIERS)
        tables += _named("patterns", [" ".join(template) for template in coreference.TEMPLATES])
        return [_vocabulary(task), tables, _COREFERENCE]
    if name == "dates":
        tables = _named("months", dates.MONTHS) + _named("weekdays", dates.DAYS) + _named("formats", dates.FORMATS)
        return [_vocabulary(task), tables, _DATES]
    if name == "induction":
        assert task.words is induction.WORDS
        return [_vocabulary(task), _INDUCTION]
    what, answer = {
        "reversal": ("the answer is the same letters in the opposite order", _REVERSAL),
        "sorting": ("the answer is the same letters in the order of the alphabet", _SORTING),
    }[name]
    return [_vocabulary(task), _LETTERS.format(what=what, answer=answer)]


def _vocabulary(task: Task) -> str:
    marks = "# The numbers 0, 1 and 2 are padding, the beginning and the end; words count from 3.\n"
    answers = "answers = words\n" if task.answers is task.words else _named("answers", task.answers.words)
    return marks + _named("words", task.words.words) + answers


def _named(name: str, value: object) -> str:
    """`name = value` as Python source, wrapped."""
    if isinstance(value, Mapping):
        lines = "".join(f"    {key!r}: {tuple(v) if isinstance(v, list) else v!r},\n" for key, v in value.items())
        return f"{name} = {{\n{lines}}}\n"
    assert isinstance(value, list | tuple)
    return f"{name} = {literal(value)}\n"


def _functions(source: str) -> list[str]:
    return [part.strip("\n") + "\n" for part in source.split("\n\n\n")]
