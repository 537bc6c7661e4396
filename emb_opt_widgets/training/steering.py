"""Steering a training: what is its own beside what every live thing is asked."""

from __future__ import annotations

from emb_opt_widgets.live.steering import PERSON, Asked, Done, Lifecycle
from emb_opt_widgets.training.engine import TrainingRun

__all__ = ["TrainingSteering"]


class TrainingSteering(Lifecycle[TrainingRun]):
    """The commands of a training."""

    def use_best(self, asked: Asked = PERSON) -> Done:
        """Put the parameters of the best evaluation into the towers; takes its time."""
        return self._run.queue("use_best", note=asked.note, who=asked.who, command_id=asked.id)

    def _can_besides(self) -> dict[str, bool]:
        return {"use_best": not self._run.running and self._run.state.best_step >= 0}
