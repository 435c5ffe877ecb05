"""The models in memory: few, shared by all visitors, loaded in a thread of their own, and what they read last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field

from attention_core.pretrained import Pretrained, Reading, load, read
from playground.pretrained import policy
from playground.pretrained.policy import Offer

MODELS = 2  # in memory at a time: the page shows two side by side
READINGS_BYTES = 192 * 2**20  # of each model
WAIT = 1.5  # seconds that a visitor looks at nothing before the page says that the model is being loaded


@dataclass(eq=False)
class Loaded:
    """A model in memory, and the texts it read last, up to a number of bytes."""

    model: Pretrained
    _readings: OrderedDict[tuple[str, str], tuple[Reading, int]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, text: str, target: str = "") -> Reading:
        """What the model does with a text; one text at a time. PretrainedError where it cannot read it."""
        target = target if self.model.writes else ""
        with self._lock:  # two long texts at once would only slow each other down
            key = (text, target)
            if key in self._readings:
                self._readings.move_to_end(key)
                return self._readings[key][0]
            found = read(self.model, text, target)
            self._readings[key] = (found, _bytes(found))
            while sum(size for _, size in self._readings.values()) > READINGS_BYTES and len(self._readings) > 1:
                self._readings.popitem(last=False)
            return found


class Shelf:
    """The models used last. Asking for one that is not there begins to load it."""

    def __init__(self, most: int = MODELS) -> None:
        self._most = most
        self._places: OrderedDict[Offer, Future[Loaded]] = OrderedDict()
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pretrained")

    def get(self, offer: Offer, *, download: bool = False, wait: float = WAIT) -> Loaded | None:
        """The model; None while it is still being loaded.

        PretrainedError where that failed; the next call tries anew.
        """
        with self._lock:
            place = self._places.get(offer)
            if place is None:
                place = self._places[offer] = self._worker.submit(_load, offer, download)
            self._places.move_to_end(offer)
            while len(self._places) > self._most:
                self._places.popitem(last=False)[1].cancel()
        try:
            return place.result(wait)
        except (NotYet, CancelledError):
            return None
        except Exception:
            with self._lock:
                if self._places.get(offer) is place:
                    del self._places[offer]
            raise

    def __len__(self) -> int:
        return len(self._places)


def _load(offer: Offer, download: bool) -> Loaded:
    return Loaded(load(offer.place(download=download), name=offer.name, limits=policy.limits()))


def _bytes(reading: Reading) -> int:
    """About what a reading holds: the weights, and as much again for all else."""
    return sum(2 * layer.weights.numel() * layer.weights.element_size() for layer in reading.layers.values())


shelf = Shelf()
