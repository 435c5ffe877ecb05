"""Experiments as text: the parameters of an address, and JSON. What comes in may be written by anyone."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from attention_core.experiment import Experiment
from attention_core.experiment.checks import ExperimentError, check_field
from attention_core.masks import Mask
from attention_core.masks.fields import shown
from attention_core.masks.text import format_mask, parse_mask

__all__ = ["QUERY_NAMES", "from_json", "from_query", "read_query", "to_json", "to_query"]

VERSION = "1"
PLAIN_CHARACTERS = 200  # of a text that stands in the address as it is; longer ones are compressed
PACKED_CHARACTERS = 400_000  # of a compressed text, in base64url
UNPACKED_BYTES = 400_000  # of a text that was compressed, in UTF-8
MOST_DIGITS = 40  # of a whole number in JSON: twice what any field allows
JSON_CHARACTERS = 8_000_000  # an escaped character takes 6, an escaped pair 12


@dataclass(frozen=True)
class _Form:
    """How one field of an experiment is written: its name in the address, and both directions."""

    field: str
    name: str
    write: Callable[[Any], str]
    read: Callable[[str], object]


_WHOLE = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?(e-?[0-9]{1,3})?")
_WORD = re.compile(r"[a-z0-9_]{1,40}")


def _read_whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        longer = re.fullmatch(r"-?[0-9]+", text)
        raise ValueError("allowed are whole numbers" + (" of at most 19 digits" if longer else ""))
    return int(text)


def _read_number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("allowed are numbers such as 0.5")
    return float(text)


def _read_flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("allowed are 0, 1")
    return text == "1"


def _read_word(text: str) -> str:
    """A choice; a word outside the choices goes on, for the experiment to say what is allowed."""
    if not _WORD.fullmatch(text):
        raise ValueError("allowed are the names of choices")
    return text


def _write_flag(value: bool) -> str:
    return "1" if value else "0"


_FORMS = (
    _Form("text", "text", str, str),
    _Form("source_text", "source", str, str),
    _Form("mode", "mode", str, _read_word),
    _Form("tokenizer", "tokenizer", str, _read_word),
    _Form("num_heads", "heads", str, _read_whole),
    _Form("d_model", "width", str, _read_whole),
    _Form("d_k", "dk", str, _read_whole),
    _Form("d_v", "dv", str, _read_whole),
    _Form("num_kv_heads", "kv", str, _read_whole),
    _Form("position", "position", str, _read_word),
    _Form("score", "score", str, _read_word),
    _Form("temperature", "temperature", repr, _read_number),
    _Form("mask", "mask", format_mask, parse_mask),
    _Form("dropout", "dropout", repr, _read_number),
    _Form("bias", "bias", _write_flag, _read_flag),
    _Form("weights", "weights", str, _read_word),
    _Form("seed", "seed", str, _read_whole),
    _Form("embedding", "embedding", str, _read_word),
    _Form("out_proj", "wo", _write_flag, _read_flag),
)
_PACKED = {"textz": "text", "sourcez": "source"}  # packed name -> plain name
QUERY_NAMES = ("v", *(form.name for form in _FORMS), *_PACKED)
_DEFAULTS = {field.name: field.default for field in fields(Experiment) if field.default is not MISSING}


def to_query(experiment: Experiment) -> dict[str, str]:
    """The experiment as parameters of an address. What has its default value is left out, the text never is.

    Texts over 200 characters go as `textz` and `sourcez`: zlib, then base64url. Every value is a plain
    string; encoding it for an address is left to the one who writes the address
    (`urllib.parse.urlencode`).

    >>> to_query(Experiment("a b", num_heads=2, seed=7))
    {'v': '1', 'text': 'a b', 'heads': '2', 'seed': '7'}
    """
    query = {"v": VERSION}
    for form in _FORMS:
        value = getattr(experiment, form.field)
        if form.field in _DEFAULTS and value == _DEFAULTS[form.field]:
            continue
        written = form.write(value)
        if form.name in _PACKED.values() and len(written) > PLAIN_CHARACTERS:
            query[form.name + "z"] = _pack(written)
        else:
            query[form.name] = written
    return query


def from_query(query: Mapping[str, str]) -> Experiment:
    """The inverse of `to_query`. ValueError for an unknown name, a wrong value, or a text that is missing.

    >>> from_query({"v": "1", "text": "a b", "heads": "2"}).num_heads
    2
    """
    unknown = sorted(str(name) for name in query if name not in QUERY_NAMES)
    if unknown:
        raise ValueError(f"unknown parameters {shown(unknown)}: allowed are {', '.join(QUERY_NAMES)}")
    values, problems = _read(query)
    if problems:
        raise ValueError("; ".join(problem.words for problem in problems))
    if "text" not in values:
        raise ValueError("text: missing; allowed is a text with at least one token")
    return Experiment(**values)


def read_query(
    query: Mapping[str, str], *, default_text: str | None = None
) -> tuple[Experiment | None, tuple[str, ...]]:
    """The experiment that an address asks for, as far as it can be made out, and what was wrong in words.

    Each nonsense parameter falls back to its default, and so do those that do not fit together. Names
    that are not ours belong to others and are passed over. Without a usable text the experiment has
    `default_text`; it is None where there is no such text either, or where the address has no parameter
    of ours.

    >>> experiment, problems = read_query({"text": "a b", "heads": "many", "utm_source": "x"})
    >>> experiment.num_heads, problems
    (4, ("heads='many': allowed are whole numbers; taken instead: 4",))
    """
    values, found = _read(query)
    problems = [problem.with_default() for problem in found]
    if not any(name in QUERY_NAMES and name != "v" for name in query):
        return None, tuple(problems)
    if "text" not in values:
        if default_text is None:
            return None, (*problems, "text: missing; allowed is a text with at least one token")
        values["text"] = default_text
    while True:
        try:
            return Experiment(**values), tuple(problems)
        except ExperimentError as problem:
            culprits = [name for name in problem.fields if name in values]
            if "text" in culprits and default_text is not None and values["text"] != default_text:
                values["text"] = default_text
                problems.append(f"{problem}; taken instead: {shown(default_text)}")
                continue
            culprits = [name for name in culprits if name != "text"]
            if not culprits:
                return None, (*problems, str(problem))
            for name in culprits:
                del values[name]
            instead = ", ".join(f"{name}={_default(name)}" for name in culprits)
            problems.append(f"{problem}; taken instead: {instead}")


@dataclass(frozen=True)
class _Problem:
    field: str | None
    words: str

    def with_default(self) -> str:
        """The words, and what was taken instead."""
        if self.field not in _DEFAULTS:
            return self.words
        return f"{self.words}; taken instead: {_default(self.field)}"


def _default(field: str) -> str:
    """The default of a field as an address would say it."""
    value = _DEFAULTS[field]
    return "none" if value is None else next(form.write(value) for form in _FORMS if form.field == field)


def _read(query: Mapping[str, str]) -> tuple[dict[str, Any], list[_Problem]]:
    """The values by field that could be read, and what was wrong with the others."""
    values: dict[str, Any] = {}
    problems: list[_Problem] = []
    version = query.get("v", VERSION)
    if version != VERSION:
        problems.append(_Problem(None, _other_version(version)))
    for form in _FORMS:
        names = [name for name in (form.name, f"{form.name}z") if name in query and name in QUERY_NAMES]
        for name in names[:1]:
            try:
                values[form.field] = _read_one(form, name, query[name])
            except ValueError as problem:
                words = problem.allowed if isinstance(problem, ExperimentError) else str(problem)
                prefix = "" if words.startswith(f"{name}=") else f"{name}={shown(query[name])}: "
                problems.append(_Problem(form.field, prefix + words))
        for name in names[1:]:
            problems.append(_Problem(None, f"{name}: allowed is one of {form.name} and {name}, not both"))
    return values, problems


def _read_one(form: _Form, name: str, given: object) -> object:
    if not isinstance(given, str):
        raise ValueError("allowed is a text")
    return check_field(form.field, form.read(_unpack(given) if name in _PACKED else given))


def _pack(text: str) -> str:
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def _unpack(packed: str) -> str:
    """The inverse of `_pack`; ValueError for anything else, and before it grows out of bounds."""
    if len(packed) > PACKED_CHARACTERS or not re.fullmatch(r"[A-Za-z0-9_-]*", packed):
        raise ValueError(f"allowed are at most {PACKED_CHARACTERS} characters of base64url")
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(
            base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), UNPACKED_BYTES + 1
        )
    except (ValueError, zlib.error):
        raise ValueError("damaged; allowed is a text compressed by zlib, in base64url") from None
    if len(text) > UNPACKED_BYTES:
        raise ValueError(
            f"longer than {UNPACKED_BYTES} bytes when unpacked, which is the most that is allowed"
        )
    if not inflate.eof or inflate.unused_data:
        raise ValueError("damaged; allowed is a text compressed by zlib, in base64url")
    return text.decode()  # UnicodeDecodeError is a ValueError


def to_json(experiment: Experiment) -> str:
    """The experiment as a JSON object with every field by name; the mask as in an address, `v` the version.

    >>> to_json(Experiment("a b"))
    '{"v": 1, "text": "a b", "source_text": null, "mode": "self", ...}'
    """
    values = {field.name: getattr(experiment, field.name) for field in fields(Experiment)}
    return json.dumps({"v": int(VERSION), **values, "mask": format_mask(experiment.mask)}, ensure_ascii=False)


def from_json(text: str) -> Experiment:
    """The inverse of `to_json`; fields with a default may be missing. ValueError names what is wrong.

    >>> from_json('{"text": "a b", "num_heads": 2}').num_heads
    2
    >>> from_json('{"text": "a b", "heads": 2}')
    Traceback (most recent call last):
    ValueError: unknown fields ['heads']: allowed are v, text, source_text, ...
    """
    if not isinstance(text, str) or len(text) > JSON_CHARACTERS:
        raise ValueError(f"JSON: allowed is a text of at most {JSON_CHARACTERS} characters")
    try:
        values = json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("JSON: nested too deeply; allowed is one object of plain values") from None
    if not isinstance(values, dict):
        raise ValueError(f"JSON: {shown(values)}; allowed is one object")
    version = values.pop("v", int(VERSION))
    if isinstance(version, bool) or version != int(VERSION):
        raise ValueError(_other_version(version))
    names = [field.name for field in fields(Experiment)]
    unknown = sorted(name for name in values if name not in names)
    if unknown:
        raise ValueError(f"unknown fields {shown(unknown)}: allowed are v, {', '.join(names)}")
    if "text" not in values:
        raise ValueError("text: missing; allowed is a text with at least one token")
    if "mask" in values:
        values["mask"] = _mask(values["mask"])
    return Experiment(**values)


def _other_version(version: object) -> str:
    words = f"v={shown(version)}: allowed is {VERSION}"
    text = str(version) if isinstance(version, str | int) else ""
    later = re.fullmatch(r"[0-9]{1,4}", text) is not None and int(text) > int(VERSION)
    return f"{words}; a newer version of the playground has written this" if later else words


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"JSON: a number of {len(digits):,} digits; allowed are at most {MOST_DIGITS}")
    return int(digits)


def _mask(value: object) -> Mask:
    if not isinstance(value, str):
        raise ValueError(f"mask={shown(value)}: allowed is the text of a mask, causal for instance")
    return parse_mask(value)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("JSON: a name stands twice in one object; allowed is once")
    return values


def _no_constant(name: str) -> float:
    raise ValueError(f"JSON: {name}; allowed are finite numbers")
