"""What all engines over a transformers model share: one device, batches in order, one end."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from pipeline.engines.base import ModelSpec, ProgressHook
from pipeline.engines.transformers_model import window
from schemas.errors import EngineDied
from schemas.models import Failure

J = TypeVar("J")
R = TypeVar("R")


class TransformersModel:
    """A `schemas.models.Model` over a transformers model in this process."""

    def __init__(self, model: Any, tokenizer: Any, spec: ModelSpec, progress: ProgressHook) -> None:
        self.fingerprint = spec.fingerprint
        self.capabilities = spec.capabilities
        self._model = model
        self._tokenizer = tokenizer
        self._progress = progress
        self._batch_size = spec.placement.batch_size
        self._window = window(model, spec.entry.max_model_len)
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        """See `schemas.models.Model`."""
        if self._model is None:
            return
        import torch

        device = self._model.device.type
        self._model = None
        gc.collect()
        if device != "cpu":
            getattr(torch, device).empty_cache()

    def _serve(
        self, jobs: Sequence[J | Failure], work: Callable[[Sequence[J]], list[R]]
    ) -> list[R | Failure]:
        """Work off what is no failure yet, batch by batch; results in the order of the jobs."""
        ready = [job for job in jobs if not isinstance(job, Failure)]
        done: list[R] = []
        for start in range(0, len(ready), self._batch_size):
            with self._one_at_a_time, _device_work():
                done += work(ready[start : start + self._batch_size])
        self._progress(len(jobs) - len(ready), 0)
        results = iter(done)
        return [job if isinstance(job, Failure) else next(results) for job in jobs]


@contextmanager
def _device_work() -> Iterator[None]:
    """No gradients, and errors of the device as what they are for the run: a dead engine."""
    import torch

    try:
        with torch.inference_mode():
            yield
    except (RuntimeError, MemoryError) as error:
        raise EngineDied(
            f"transformers failed: {type(error).__name__}: {error}. If memory ran out, lower the "
            "model's placement batch_size or its max_model_len."
        ) from error
