"""One visitor's training run: a worker's thread makes its steps, the visitor's own reads what it has come to."""

from __future__ import annotations

import math
import threading

from attention_core.trained.history import History
from attention_core.trained.kept import to_bytes
from attention_core.trained.model import Model
from attention_core.trained.plan import Plan
from attention_core.trained.sample import Seen, look, sample_of
from attention_core.trained.training import MEASURED, Training
from attention_core.trained.watch import Moment, observe

SNAPSHOTS = 64
# After how many steps a model is measured and its weights remembered: often enough to see it move, seldom enough for
# the measuring, which takes about as long as a step, not to slow it down.
EVERY = {"reversal": 2, "induction": 5, "coreference": 10, "translation": 10, "dates": 20, "sorting": 20}


class Run:
    """A plan, its training, and what is remembered of it.

    `advance` is for the one worker that has the run at the time; everything else may be called from any thread.
    """

    def __init__(self, plan: Plan, training: Training | None = None, *, memory: int = 16) -> None:
        self.plan = plan
        self.every = EVERY[plan.name]
        self.until = 0  # the step at which it is to stop
        self.failed = ""
        self.left = False  # whether it stopped because nobody was there
        self.history = History(SNAPSHOTS, memory * 2**20)
        self.loaded = training is not None
        self._training = training or plan.training()
        self.begun_at = self._training.done
        self.whole = not self.loaded or bool(self._training.checkpoint().means) or self.begun_at == 0
        self._task = plan.task()
        self._held_out = self._task.batch("held_out", MEASURED, plan.seed)
        self.sample = sample_of(self._task)
        self._lock = threading.Lock()  # held during a step, and by whoever wants the training at rest
        self._reading = threading.Lock()  # guards the history alone, so that nobody waits for a step to read it
        self._last: tuple[Moment, Seen] | None = None
        self._remember()

    @property
    def watched(self) -> str:
        """The layer whose weights should find what the answer comes from."""
        return self._task.watched[0]

    @property
    def data(self) -> str:
        """What the samples are, in words."""
        return self._task.data

    @property
    def samples(self) -> int:
        """How many held-out samples are behind each measuring."""
        return MEASURED

    @property
    def numbers(self) -> int:
        """How many numbers learn."""
        return sum(weight.numel() for weight in self._training.model.parameters())

    @property
    def done(self) -> int:
        """How many steps have been made."""
        return self._training.done

    def advance(self) -> None:
        """Make one step; measure and remember where it is time to, and at the last."""
        with self._lock:
            self._training.step()
            if self.done % self.every == 0 or self.done >= self.until:
                self._remember()

    def settle(self) -> None:
        """Remember where it stands: after a pause between two measurings."""
        with self._lock:
            if self.history.moments[-1].step != self.done:
                self._remember()

    def _remember(self) -> None:
        training = self._training
        moment = observe(self._task, training.model, self._held_out, training.done, training.loss)
        weights = {name: weight.detach().clone() for name, weight in training.model.named_parameters()}
        if not math.isfinite(moment.loss) and moment.step > self.begun_at:
            raise ValueError(f"loss={moment.loss} at step {moment.step}: the learning rate is too high for this model")
        with self._reading:
            self.history.add(moment, weights)

    def moments(self) -> tuple[Moment, ...]:
        """All that was measured so far."""
        with self._reading:
            return tuple(self.history.moments)

    def steps(self) -> tuple[int, ...]:
        """The steps that can be looked at."""
        with self._reading:
            return self.history.steps()

    def nearest(self, step: int) -> int:
        """The step nearest to this one that can be looked at; the newest for a negative one."""
        with self._reading:
            return self.history.moments[-1].step if step < 0 else self.history.nearest(step)

    def seen(self, step: int) -> tuple[Moment, Seen]:
        """What was measured at a step, and what the model of that step makes of the sample.

        The newest may be asked for with any step that is no longer remembered: while a run goes on, the steps do not
        wait for whoever reads them.
        """
        with self._reading:
            moment, weights = self.history.at(self.history.nearest(step))
            if self._last is not None and self._last[0] is moment:
                return self._last
        model: Model = self._task.build(self.plan.seed)
        model.load_state_dict(weights)
        found = (moment, look(self._task, model.eval().requires_grad_(False), self.sample))
        with self._reading:
            self._last = found
        return found

    def file(self, step: int) -> bytes:
        """The weights of a step as a file; that of the newest has all that it takes to go on from there."""
        with self._lock:
            kept = self._training.checkpoint()
        with self._reading:
            moment, weights = self.history.at(self.history.nearest(step))
        facts = {"accuracy": f"{moment.accuracy:.4f}", "alignment": f"{moment.alignment:.4f}"}
        if moment.step == kept.step:
            return to_bytes(self.plan, kept, facts)
        bare = type(kept)(step=moment.step, weights=weights, means={}, squares={}, updates=0, numbers=None)
        return to_bytes(self.plan, bare, facts)
