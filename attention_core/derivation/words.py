"""The English words of derivations: titles, notes and sentences, each whole, so that it can be translated."""

from __future__ import annotations

from attention_core.derivation.steps import Phrase

# Titles of steps by key.
TITLES: dict[str, str] = {
    "query": "The query vector",
    "key": "The key vector",
    "norm_q": "The length of the query",
    "norm_k": "The length of the key",
    "dot": "Query times key, number by number",
    "hidden": "Query and key, mixed and squashed",
    "turned": "The query, turned by the weight of the score",
    "raw": "The raw score",
    "scale": "Scaled",
    "alibi": "The penalty for distance",
    "t5": "The number of the distance",
    "shaw": "The query times the vector of the distance",
    "xl_content": "What the key brings, wherever it stands",
    "xl_position": "The query times the vector of the distance",
    "xl_bias": "What the distance brings, whatever is said",
    "position": "What position adds",
    "capped": "Kept within the cap",
    "modified": "Score and position together",
    "mask": "The mask",
    "max": "The largest score of the row",
    "exp": "The exponential",
    "sum": "The sum of the row",
    "weight": "The weight",
    "dropout": "Dropout",
    "by_hand": "Set from outside",
    "contribution": "What this weight contributes",
    "context": "The context vector",
    "given": "The number itself",
    "added": "Token and position",
    "normed": "Normalised",
    "projection": "Row times column",
    "angle": "The angle of the position",
    "rotation": "The rotation",
    "copy": "Where it was copied from",
    "head": "What one head adds",
    "output": "All heads together",
}

# What a step has to say about itself.
NOTES: dict[str, str] = {
    "rotated": "Shown after its rotation, as it enters the score.",
    "as_it_enters": "Shown as it enters the score; how it was made is not part of the trace.",
    "unrotated": "Nothing turns it: it is the same as before.",
    "no_partner": "The last column of an odd width has no partner and stays as it is.",
    "not_turned": "This column is not turned: it stays as it is.",
    "turn_unknown": "How this column was turned is not known, so the number stands as it was computed.",
    "score_unknown": "This score function has weights of its own, so the number stands as it was computed.",
    "no_direction": "A vector of length 0 has no direction: its score is 0.",
    "no_scale": "This score is not scaled.",
    "no_position": "Nothing about position is added to the score.",
    "may_look": "'{query}' may look at '{key}'.",
    "may_not_look": "'{query}' may not look at '{key}'.",
    "empty_row": "'{query}' may look at nothing, so its weights are 0 by definition.",
    "dropped": "This weight was dropped.",
    "kept": "This weight was kept, and raised so that the sum stays the same on average.",
    "not_dropped": "Nothing was dropped.",
    "by_hand": "What was computed does not count here: this weight was set from outside and stands in its place.",
    "goes_to": "It is added to the context vector of '{query}' in head {head}, "
    "which fills the columns {first} to {last} of the concatenation.",
    "shared_key": "Heads share their keys and values: this one reads key/value head {kv_head}.",
    "from_head": "Head {head}, column {column} of its context vector.",
    "other_slice": "Without an output projection each head fills its own columns; this one is of another.",
    "no_weights": "The weights of this projection are not part of the trace.",
    "from_before": "What comes before this layer made it; how is not part of the trace.",
    "normed": "The whole row is brought to one size, so that its numbers depend on each other; "
    "the number stands as it was computed.",
}

# One sentence a cell.
SENTENCES: dict[str, str] = {
    "looks": "'{query}' looks {percent} % at '{key}'.",
    "looks_little": "'{query}' looks less than 0.01 % at '{key}'.",
    "looks_nearly_only": "'{query}' looks more than 99.99 % at '{key}'.",
    "may_not_look": "'{query}' may not look at '{key}': its weight is exactly 0.",
    "may_look_at_nothing": "'{query}' may look at nothing: all its weights are exactly 0.",
    "too_small": "'{query}' may look at '{key}', but the weight is too small to be more than 0.",
    "no_number": "The weight of '{query}' for '{key}' is not a number: something before it is infinite.",
    "dropped": "Dropout set the weight of '{query}' for '{key}' to 0 this time.",
    "kept": "Dropout kept the weight of '{query}' for '{key}' and raised it from {before} to {value}.",
    "by_hand": "The weight of '{query}' for '{key}' was set to {value}; the head itself computed {before}.",
    "raw_scores": "The raw score of '{query}' and '{key}' is {value}.",
    "scaled_scores": "The scaled score of '{query}' and '{key}' is {value}.",
    "modified_scores": "The score of '{query}' and '{key}' is {value} after position has added {added}.",
    "modified_scores_same": "The score of '{query}' and '{key}' is {value}; position adds nothing to it.",
    "capped": "The score of '{query}' and '{key}' is {value} within the cap; before it was {before}.",
    "masked_scores": "The score of '{query}' and '{key}' is {value}, and the mask lets it through.",
    "masked_scores_forbidden": "'{query}' may not look at '{key}', so its score is minus infinity.",
    "allowed": "'{query}' may look at '{key}'.",
    "forbidden": "'{query}' may not look at '{key}'.",
    "q": "Number {column} of the query of '{token}' in head {head} is {value}.",
    "k": "Number {column} of the key of '{token}' in key/value head {head} is {value}.",
    "v": "Number {column} of the value of '{token}' in key/value head {head} is {value}.",
    "rotated_q": "Number {column} of the query of '{token}' in head {head} is {value} after its rotation.",
    "rotated_k": "Number {column} of the key of '{token}' in key/value head {head} is {value} "
    "after its rotation.",
    "input": "Number {column} of '{token}' is {value}.",
    "encoding": "Position adds {value} to number {column} of '{token}'.",
    "context": "Number {column} of the context of '{token}' in head {head} is {value}; "
    "'{key}' brings the most.",
    "context_empty": "'{token}' may look at nothing, so its context in head {head} is 0.",
    "context_dropped": "Dropout left '{token}' no weight in head {head} this time, so its context is 0.",
    "context_zero": "Number {column} of the context of '{token}' in head {head} is 0: no key brings anything.",
    "concat": "Column {column} of the concatenation for '{token}' is {value}, from head {head}.",
    "output": "Number {column} of the output of '{token}' is {value}; head {head} adds the most.",
    "output_zero": "Number {column} of the output of '{token}' is 0: no head adds anything.",
    "output_bias": "Number {column} of the output of '{token}' is {value}, the bias alone: no head adds anything.",
    "head_contributions": "Head {head} adds {value} to number {column} of the output of '{token}'.",
    "parameter": "Row {row}, column {column} of this weight is {value}.",
}


def note(which: str, /, **values: str) -> Phrase:
    """What a step says about itself.

    >>> note("may_look", query="it", key="cat").text()
    "'it' may look at 'cat'."
    """
    return Phrase(which, NOTES[which], values)


def sentence(which: str, /, **values: str) -> Phrase:
    """What a cell says.

    >>> sentence("looks", query="it", key="cat", percent="41").text()
    "'it' looks 41 % at 'cat'."
    """
    return Phrase(which, SENTENCES[which], values)


def percent(weight: float) -> str:
    """A weight from 0.0001 to 0.9999 as a percentage that never rounds to 0 or to 100.

    >>> [percent(w) for w in (0.4142, 0.0512, 0.0012345, 0.99712, 0.9999, 0.5, 1.0)]
    ['41', '5.1', '0.12', '99.7', '99.99', '50', '100']
    """
    hundred = 100.0 * weight
    if weight == 1.0:
        return "100"
    for digits, least in enumerate((10.0, 1.0, 0.1)):
        text = f"{hundred:.{digits}f}"
        if least <= hundred and float(text) < 100.0:
            return text
    return f"{hundred:.2g}"
