"""What the operator may set about load and addresses, beside the limits on one experiment (`playground.settings`)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache

from playground.settings import PREFIX, from_environment, limits

MEBIBYTE = 2**20
_SOURCE = re.compile(r"\*|'self'|'none'|(https?:|(https?://)?[A-Za-z0-9*.-]+(:(\d+|\*))?)")


@dataclass(frozen=True)
class Service:
    """The settings of load, all whole numbers from 1; the defaults suit a class of 60 on 2 cores and 2 GB.

    pages_at_once       how many pages are run at the same time, heavy ones not counted
    heavy_ms            milliseconds of one core, as `cost.weigh` estimates, from which a computation takes its turn
    heavy_slots         how many of those run at the same time
    heavy_memory_mb     MiB that those which run may need together; one alone may need more
    queue_length        how many wait at most
    queue_seconds       how long each waits at most
    turns_each          how many turns one visitor, or one address that programs call from, asks for at once
    cache_mb            MiB of traces kept for all visitors
    api_body_kb         KiB of a request's body
    api_requests        how many requests of programs and downloads are worked on at once; others are refused
    answers_mb          MiB that answers and files may hold together until they are sent; one alone may hold more
    answer_seconds      how long a client may let an answer wait, beside a second for each 32 KiB that it took
    uploads_mb          MiB that files sent by visitors may take together, until a page has read them
    csv_numbers         the most numbers in a file as CSV
    json_numbers        the most numbers in an answer or a file as JSON, and in a page to keep
    npz_numbers         the most numbers in an answer or a file as NPZ
    """

    pages_at_once: int = 1
    heavy_ms: int = 40
    heavy_slots: int = 1
    heavy_memory_mb: int = 768
    queue_length: int = 60
    queue_seconds: int = 60
    turns_each: int = 2
    cache_mb: int = 256
    api_body_kb: int = 1024
    api_requests: int = 8
    answers_mb: int = 96
    answer_seconds: int = 60
    uploads_mb: int = 32
    csv_numbers: int = 2**22
    json_numbers: int = 2**23
    npz_numbers: int = 2**26


@cache
def service() -> Service:
    """The settings in force: `ATTENTION_QUEUE_SECONDS=10` in the environment overrides `Service.queue_seconds`.

    Raises ValueError where a variable is not a whole number from 1.
    """
    return from_environment(Service)


@cache
def frame_ancestors() -> str:
    """Who may show the app in a frame: `ATTENTION_FRAME_ANCESTORS`, sources of a Content-Security-Policy.

    By default anyone: a page of a course may embed the app, which has no accounts that a frame could abuse. Raises
    ValueError for anything but `*`, 'self', 'none' and addresses.
    """
    name = PREFIX + "FRAME_ANCESTORS"
    text = os.environ.get(name, "*")
    sources = text.split()
    if not sources or not all(_SOURCE.fullmatch(source) for source in sources):
        raise ValueError(f"{name}={text!r}: allowed are *, 'self', 'none' and addresses such as https://example.org")
    return " ".join(sources)


@cache
def plain_logs() -> bool:
    """Whether logs stay as the libraries write them: `ATTENTION_LOG=plain`, for development. The default is `json`."""
    name = PREFIX + "LOG"
    text = os.environ.get(name, "json")
    if text not in ("json", "plain"):
        raise ValueError(f"{name}={text!r}: allowed are json, plain")
    return text == "plain"


def check() -> None:
    """Read every setting, so that a wrong one stops the start, not a visitor. Raises ValueError that names it."""
    limits()
    service()
    frame_ancestors()
    plain_logs()
