"""The interface for programs, described as OpenAPI 3.1: made from what the code allows, so that it cannot drift."""

from __future__ import annotations

import json
from typing import Any

from attention_core.embeddings import EMBEDDINGS
from attention_core.experiment import MODES, Experiment
from attention_core.experiment.checks import COOLEST, HOTTEST, MAX_SEED
from attention_core.experiment.recipes import SCORES, WEIGHTS
from attention_core.experiment.text import QUERY_NAMES
from attention_core.limits import Limits
from attention_core.masks import Causal, Full, Prefix, Window
from attention_core.masks.text import format_mask
from attention_core.positions import POSITIONS
from attention_core.tokens import TOKENIZERS
from playground.service import problem
from playground.service.api import FORMATS, JSON, NPZ
from playground.service.settings import Service

Schema = dict[str, Any]
EXAMPLE = Experiment("The sun rises in the east", mode="causal", num_heads=2, d_model=16)
MASKS = tuple(map(format_mask, (Full(), Causal(), Window(3), Causal() & Window(3), Causal() & ~Prefix(2))))
NON_FINITE = ["NaN", "Infinity", "-Infinity"]


def document(limits: Limits, service: Service) -> Schema:
    """The whole description, with the limits of this server."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Attention playground",
            "version": "1",
            "summary": "Multi-head attention with every tensor on the way.",
            "description": "Send an experiment, get its trace: the numbers that the pages of the app draw.",
        },
        "servers": [{"url": "../"}],
        "paths": {
            "/api/attention": {"post": _attention(service)},
            "/api/experiment": {"get": _experiment()},
        },
        "components": {
            "schemas": {"Experiment": experiment_schema(limits), "Trace": _trace(), "Problem": _problem()},
        },
    }


def experiment_schema(limits: Limits) -> Schema:
    """An experiment as a JSON Schema, field by field: what has to fit together (d_model and num_heads) is not in it."""
    width = {"type": "integer", "minimum": 1}
    properties: Schema = {
        "v": {"const": 1, "description": "the version of this format"},
        "text": {"type": "string", "minLength": 1, "maxLength": limits.max_characters, "pattern": r"\S"},
        "source_text": {"type": ["string", "null"], "maxLength": limits.max_characters, "description": "cross mode"},
        "mode": {"enum": list(MODES)},
        "tokenizer": {"enum": list(TOKENIZERS)},
        "num_heads": {**width, "maximum": limits.max_heads},
        "d_model": {**width, "maximum": limits.max_d_model},
        "d_k": _or_null({**width, "maximum": limits.max_d_k}, "null is d_model / num_heads"),
        "d_v": _or_null({**width, "maximum": limits.max_d_v}, "null is d_model / num_heads"),
        "num_kv_heads": _or_null(width, "a divisor of num_heads; null is num_heads"),
        "position": {"enum": list(POSITIONS)},
        "score": {"enum": list(SCORES)},
        "temperature": {"type": "number", "minimum": COOLEST, "maximum": HOTTEST},
        "mask": {"type": "string", "description": f"as in a link: {', '.join(MASKS)}, ...", "examples": list(MASKS)},
        "dropout": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
        "bias": {"type": "boolean"},
        "weights": {"enum": list(WEIGHTS)},
        "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED},
        "embedding": {"enum": list(EMBEDDINGS)},
        "out_proj": {"type": "boolean"},
    }
    defaults = json.loads(Experiment("a").to_json())
    for name, schema in properties.items():
        if name not in ("v", "text"):
            schema["default"] = defaults[name]
    return {
        "type": "object",
        "description": "What to compute, as the app's own experiment.json has it.",
        "required": ["text"],
        "additionalProperties": False,
        "properties": properties,
    }


def _or_null(schema: Schema, words: str) -> Schema:
    return {"anyOf": [schema, {"type": "null"}], "description": words}


def _attention(service: Service) -> Schema:
    binary = {"schema": {"type": "string", "contentMediaType": NPZ}}
    return {
        "operationId": "computeAttention",
        "summary": "Compute attention and answer with its trace.",
        "description": (
            f"At most {service.api_body_kb:,} KiB are read. As JSON an answer holds at most {service.json_numbers:,} "
            f"numbers, as NPZ {service.npz_numbers:,}. Large computations wait for their turn, at most "
            f"{service.queue_seconds} s."
        ),
        "parameters": [
            {
                "name": "format",
                "in": "query",
                "description": "instead of the Accept header",
                "schema": {"enum": list(FORMATS), "type": "string"},
            },
            {
                "name": "fields",
                "in": "query",
                "description": "only these fields of the trace, separated by commas; by default all",
                "schema": {"type": "string", "pattern": "^[a-z_]+(,[a-z_]+)*$"},
                "example": "q,k,weights",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"$ref": "#/components/schemas/Experiment"},
                    "example": json.loads(EXAMPLE.to_json()),
                }
            },
        },
        "responses": {
            "200": {
                "description": "The trace.",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Trace"}}, NPZ: binary},
            },
            **_problems(
                {
                    "400": "The body is no JSON, or a parameter is unknown.",
                    "406": "The Accept header wants neither JSON nor NPZ.",
                    "413": "The body is too large.",
                    "415": "The body is not application/json.",
                    "422": "No such experiment can be, or it is over a limit of this server; the detail says which.",
                    "503": "The machine is full; Retry-After says when to try again.",
                }
            ),
        },
    }


def _experiment() -> Schema:
    return {
        "operationId": "readLink",
        "summary": "The experiment that a link of the app shows, as JSON.",
        "description": (
            f"Takes the parameters of a link ({', '.join(QUERY_NAMES)}); "
            "those that say how the page looks are passed over."
        ),
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}, **_words(name)} for name in QUERY_NAMES
        ],
        "responses": {
            "200": {
                "description": "The experiment.",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Experiment"}}},
            },
            **_problems(
                {"422": "The link shows no experiment, or it is over a limit.", "503": "The machine is full."}
            ),
        },
    }


def _words(name: str) -> Schema:
    example = {"text": "The sun rises", "heads": "2", "mode": "causal"}.get(name)
    return {"example": example} if example else {}


def _problems(words: dict[str, str]) -> Schema:
    content = {problem.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": description, "content": content} for status, description in words.items()}


def _trace() -> Schema:
    number = {"anyOf": [{"type": ["number", "boolean"]}, {"enum": NON_FINITE}]}
    field = {
        "type": "object",
        "required": ["dims", "shape", "dtype", "values"],
        "properties": {
            "dims": {"type": "array", "items": {"type": "string"}},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "dtype": {"enum": ["float32", "bool"]},
            "values": {
                "type": "array",
                "description": f"nested as the shape says; {', '.join(NON_FINITE)} are written as words",
                "items": {"anyOf": [{"type": "array"}, number]},
            },
        },
    }
    names = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "required": ["format", "version", "tokens", "source_tokens", "experiment", "fields"],
        "properties": {
            "format": {"const": "attention-trace"},
            "version": {"const": 1},
            "tokens": names,
            "source_tokens": names,
            "head_names": names,
            "score_name": {"type": "string"},
            "scale": {"type": ["number", "null"]},
            "experiment": {"$ref": "#/components/schemas/Experiment"},
            "fields": {"type": "object", "additionalProperties": field},
        },
    }


def _problem() -> Schema:
    return {
        "type": "object",
        "description": "What is wrong (RFC 9457).",
        "required": ["title", "status", "detail"],
        "properties": {
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "what is wrong and what is allowed, in words"},
            "fields": {"type": "array", "items": {"type": "string"}, "description": "the fields concerned"},
            "limit": {"type": "string", "description": "the limit, by name"},
            "value": {"type": "integer"},
            "allowed": {"type": "integer"},
            "reason": {"type": "string", "description": "why the machine is full"},
        },
    }
