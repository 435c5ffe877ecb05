"""The trained models as the page on them shows them: their names, what they answer, how often they are right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from attention_core.masks import Causal, Full, Mask, Window
from attention_core.remembered import remembered
from attention_core.trained import SHIPPED, Answer, Change, Measured, answer, load_shipped, measure, task
from attention_core.trained.batch import Batch
from attention_core.trained.patch_edit import without_rows
from attention_core.trained.shipped import shipped_facts
from attention_core.trained.vocabulary import MARKS
from playground.i18n import _

HELD_OUT = 64  # samples that each change is measured on, at once
SEED = 2
OWN = "own"


@dataclass(frozen=True)
class Setting:
    """What the page shows: a model, a text, what is done to the model, and the layer that is looked at."""

    model: str
    text: str
    change: Change
    layer: str


def title(model: str) -> str:
    """What a model is called."""
    return {
        "reversal": _("Reversal"),
        "induction": _("Induction"),
        "coreference": _("What “it” means"),
        "translation": _("English to Chinese"),
        "dates": _("Dates"),
        "translation_unmasked": _("Trained without the mask"),
        "sorting": _("Sorting"),
    }[model]


def about(model: str) -> str:
    """What a model does and what its watched head is for, in a sentence."""
    return {
        "reversal": _("Ten letters in, the same letters in the opposite order out. One head does it all."),
        "induction": _(
            "What followed this word the last time? A head of layer 1 looks at the word before; so one of layer 2 can "
            "look at the word that came after the same word."
        ),
        "coreference": _("Which of two things is “it”? Only the adjective tells: it fits one of the two."),
        "translation": _("A few kinds of English sentences. The one cross head looks at the word it translates."),
        "dates": _("A date as people write it, character by character, into year-month-day."),
        "translation_unmasked": _(
            "The same sentences; but while it was trained, each Chinese word could see the words after it."
        ),
        "sorting": _("Ten letters into the order of the alphabet. It is right, and its head does not say why."),
    }[model]


def layer_title(layer: str) -> str:
    """What a layer of attention is called."""
    return {
        "self1": _("Layer 1"),
        "self2": _("Layer 2"),
        "encoder1": _("Encoder: the source reads itself"),
        "decoder1": _("Decoder: what is written reads itself"),
        "cross1": _("Cross-attention: what is written reads the source"),
    }[layer]


def head_title(layer: str, head: int) -> str:
    """What one head is called where all of them stand in a list."""
    return {
        "self1": _("Layer 1, head {head}"),
        "self2": _("Layer 2, head {head}"),
        "encoder1": _("Encoder {head}"),
        "decoder1": _("Decoder {head}"),
        "cross1": _("Cross {head}"),
    }[layer].format(head=head + 1)


def mask_label(layer: str) -> str:
    """What stands over the choice of a layer's mask."""
    return {
        "self1": _("Mask of layer 1: what a word may see"),
        "self2": _("Mask of layer 2: what a word may see"),
        "encoder1": _("Mask of the encoder: what a word of the source may see of the source"),
        "decoder1": _("Mask of the decoder: what a place may see of what was written"),
        "cross1": _("Mask of the cross-attention: what a place may see of the source"),
    }[layer]


def mask_title(name: str, layer: str) -> str:
    """What a choice of mask is called."""
    if layer == "cross1":
        return {
            OWN: _("As it was trained"),
            "causal": _("No later place than its own"),
            "window": _("Two places to each side"),
            "itself": _("Its own place alone"),
        }[name]
    writes = layer == "decoder1"
    return {
        OWN: _("As it was trained"),
        "full": _("Everything visible"),
        "causal": _("Causal: nothing later"),
        "window": _("The last three words written") if writes else _("Two places to each side"),
        "itself": _("The last word written alone") if writes else _("Only itself"),
    }[name]


def heads(model: str) -> list[tuple[str, int]]:
    """Every head of a model, (layer, head)."""
    return [(layer, head) for layer, count in load_shipped(model).heads().items() for head in range(count)]


def masks(model: str, layer: str) -> dict[str, Mask]:
    """The masks that a layer can be given in place of its own, by name."""
    later = load_shipped(model).shape.causal if layer != "encoder1" else False
    found: dict[str, Mask] = {"full": Full(), "causal": Causal(), "window": Window(3), "itself": Window(1)}
    if layer == "decoder1" or (later and layer != "cross1"):
        found["window"] = Window(3) & Causal()
    # What would be the layer's own mask again is no choice.
    del found["full" if layer == "cross1" or not later else "causal"]
    return found


def later_only(layer: str, mask: str) -> bool:
    """Whether this choice opens or shuts later words of a layer that writes: then there is nothing there to see."""
    return layer == "decoder1" and mask in ("full", "causal")


def one_length(model: str) -> bool:
    """Whether all its texts are of one length, with the same place asking for the same: a map fits them all."""
    return task(model).whole and not task(model).writes


def measurable(model: str, change: Change) -> Change:
    """What of a change can be tried on other sentences: rows by hand belong to one, unless all are of one length."""
    return change if one_length(model) else replace(change, patches=without_rows(change.patches))


@remembered(8 * 2**20)
def answered(model: str, text: str, change: Change) -> Answer:
    """What a model answers. ValueError where it cannot take the text."""
    return answer(task(model), load_shipped(model), text, change)


@cache
def _samples(model: str) -> Batch:
    return task(model).batch("held_out", HELD_OUT, SEED)


@remembered(2 * 2**20)
def measured(model: str, change: Change) -> Measured:
    """How often a model is right on held-out samples under a change, and where its watched head looks."""
    return measure(task(model), load_shipped(model), _samples(model), change)


def honest_label(model: str) -> str:
    """What was trained, on what, and how well it did."""
    facts = shipped_facts(model)
    words = _(
        "Trained weights: {steps} steps on made-up samples, seed {seed}. On {samples} held-out samples: accuracy "
        "{accuracy}, alignment {alignment}. It knows this task and nothing else."
    )
    return words.format(
        steps=facts["steps"],
        seed=facts["seed"],
        samples=facts["samples"],
        accuracy=f"{float(facts['accuracy']):.2f}",
        alignment=f"{float(facts['alignment']):.2f}",
    )


def said(model: str, found: Answer) -> str:
    """The answer as a sentence."""
    words = [word for word in found.words if word not in MARKS]
    joined = ("" if model in ("reversal", "sorting", "dates") else " ").join(words)
    if model == "induction" and (not found.places or found.places[-1] != len(found.tokens) - 1):
        return _(
            "“{last}” has not stood there before: nothing tells what follows, and the model was never asked."
        ).format(last=found.tokens[-1])
    if model == "induction":
        return _("After “{last}” it expects “{word}”, with probability {probability}.").format(
            last=found.tokens[-1], word=found.words[-1], probability=share(found, -1)
        )
    if model == "coreference":
        return _("“it” is “{word}”, with probability {probability}.").format(
            word=found.words[0], probability=share(found, 0)
        )
    if not joined:
        return _("It writes nothing.")
    return _("It writes “{words}”.").format(words=joined)


def share(found: Answer, place: int) -> str:
    """The probability of the answer at a place, as it is written."""
    return chance(float(found.probabilities[place].max()))


def chance(probability: float) -> str:
    """A probability with three decimals that is never rounded to 0 or to 1.

    >>> chance(0.12345), chance(0.99996), chance(1e-9), chance(1.0)
    ('0.123', '> 0.999', '< 0.001', '1.000')
    """
    text = f"{probability:.3f}"
    if text == "1.000" and probability < 1.0:
        return "> 0.999"
    return "< 0.001" if text == "0.000" and probability > 0.0 else text


def rows(model: str, found: Answer) -> list[tuple[str, ...]]:
    """The table of the answers: place or word, the likeliest answer, the next ones, with their probabilities.

    Where there is one answer only, a row is one candidate.
    """
    names = task(model).answers.all
    if len(found.places) == 1:
        best = found.probabilities[0].topk(5)
        return [(names[i], chance(p)) for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)]
    table: list[tuple[str, ...]] = []
    for place, chances in zip(found.places, found.probabilities, strict=True):
        best = chances.topk(2)
        first, second = best.indices.tolist()
        likely, next_likely = best.values.tolist()
        read = str(place) if task(model).writes else f"{place} {found.tokens[place]}"
        table.append((read, names[first], chance(likely), names[second], chance(next_likely)))
    return table


def models() -> list[str]:
    """The models in the order in which they are offered."""
    return list(SHIPPED)
