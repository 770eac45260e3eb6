"""Reward models through vLLM's pooling runner.

Scores are the head's own outputs: the sigmoid or softmax that vLLM applies by default is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook
from pipeline.engines.reward_reading import Reading, attribute_names, reading
from pipeline.engines.step_loop import StepLoop
from pipeline.engines.tokenizer import chat_format, tokenizer_of
from pipeline.engines.vllm_engine import is_cpu_build, load_llm, refusals, shut_down
from schemas.errors import EngineUnavailable
from schemas.models import Failure, Reward, RewardRequest


def open_vllm_reward(spec: ModelSpec, progress: ProgressHook) -> LoadedModel:
    """Load a reward model.

    Raises:
        EngineUnavailable: vLLM is missing, or cannot load this model here as a classifier.
        InputError: the model has no tokenizer or no chat template.
    """
    on_cpu = is_cpu_build()
    tokenizer = tokenizer_of(spec)
    chat = chat_format(spec, tokenizer)
    return LoadedModel(spec, VllmRewarder(tokenizer, spec, progress, on_cpu=on_cpu), chat)


class VllmRewarder:
    """A `schemas.models.Rewarder` over a vLLM engine in this process."""

    def __init__(
        self, tokenizer: Any, spec: ModelSpec, progress: ProgressHook, *, on_cpu: bool
    ) -> None:
        self.fingerprint = spec.fingerprint
        self.capabilities = spec.capabilities
        self._tokenizer = tokenizer
        self._progress = progress
        self._window = 0
        self._attributes: tuple[str, ...] = ()
        self._llm: Any = None

        def open_engine() -> Any:
            self._llm = load_llm(spec, on_cpu=on_cpu)
            engine = self._llm.llm_engine
            try:
                _check_is_classifier(engine, spec)
            except EngineUnavailable:
                self._shut_down()
                raise
            self._window = engine.model_config.max_model_len
            self._attributes = attribute_names(engine.model_config.hf_config)
            return engine

        self._loop = StepLoop(open_engine, self._shut_down, refusals, progress)

    def reward(self, requests: Sequence[RewardRequest]) -> list[Reward | Failure]:
        """See `schemas.models.Rewarder`."""
        from vllm import PoolingParams

        params = PoolingParams(task="classify", use_activation=False)
        results: list[Reward | Failure | Reading] = [
            reading(self._tokenizer, request, self._window) for request in requests
        ]
        readings = [
            (place, read) for place, read in enumerate(results) if isinstance(read, Reading)
        ]
        self._progress(len(requests) - len(readings), 0)
        for news in self._loop.serve([(read.ids, params) for _, read in readings]):
            for index, pooled in news.ended:
                place, read = readings[index]
                results[place] = (
                    Failure(read.request_id, "bad_request", f"vLLM refused the request: {pooled}")
                    if isinstance(pooled, Exception)
                    else read.reward(self._attributes, pooled.last.outputs.data.tolist())
                )
            self._progress(len(news.ended), 0)
        return [result for result in results if not isinstance(result, Reading)]

    def close(self) -> None:
        """See `schemas.models.Model`."""
        self._loop.close()

    def _shut_down(self) -> None:
        shut_down(self._llm)
        self._llm = None


def _check_is_classifier(engine: Any, spec: ModelSpec) -> None:
    """Without a classification head vLLM would serve the model as an embedder."""
    tasks = engine.get_supported_tasks()
    if "classify" not in tasks:
        raise EngineUnavailable(
            f"`{spec.entry.model}` (model `{spec.role}`) is no sequence-classification model: "
            f"vLLM serves it for {', '.join(tasks)}. Take a reward model."
        )
