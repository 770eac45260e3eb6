"""Does the engine stay full: `python -m tests.benchmarks.bench_generation [ROUNDS]`.

The same requests, with answers from a few tokens to MAX_TOKENS, three ways, in turn, each in a
process of its own:

    all     vLLM's own LLM.generate with every prompt at once
    parts   LLM.generate for one part after another, as pipelines do that hand rows on in batches
    recipe  prefmill, the same rows as parts of a recipe on one Dask worker

Tokens per second from the first request to the last answer; loading the model is left out.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.engines import vllm_engine
from pipeline.engines.open import with_files
from pipeline.engines.tokenizer import chat_format, encode_prompt, tokenizer_of
from pipeline.folders import LocalFolder
from pipeline.recipe.compile import compile_recipe
from pipeline.recipe.plan import Plan
from pipeline.recipe.recipe_io import read_recipe
from pipeline.runtime.clusters import open_executor
from pipeline.runtime.contract import project
from pipeline.runtime.keyed import KeyedStep, key_steps, resolve_models
from pipeline.runtime.listener import Listener
from pipeline.runtime.reports import PartReport
from pipeline.runtime.run import Runner
from schemas.batch import Batch
from schemas.models import Failure, GenerateRequest
from schemas.recipe import Placement
from stages import respond
from tests.benchmarks.staffed import staffed
from tests.support import FakeContext

PART_ROWS, MAX_TOKENS = 16, 256
ASKED = (
    "Say hello in one word.",
    "What is two plus two? Answer with the number only.",
    "Write a long story about a {}.",
    "List five facts about a {}.",
    "Name a colour. One word.",
    "Explain in detail how a {} works.",
    "Is a {} alive? Answer yes or no.",
)
THINGS = ("dog", "clock", "river", "train", "cloud", "violin", "garden", "robot", "whale", "lamp")
PROMPTS = [ASKED[n % len(ASKED)].format(THINGS[n % len(THINGS)]) for n in range(192)]
RECIPE = f"""
name: generation
seed: 1
models: {{policy: {{engine: vllm, model: smollm2-135m-instruct, max_model_len: 1024}}}}
stages:
  - {{stage: load_prompts, path: prompts.jsonl}}
  - {{stage: respond, model: policy, n: 1, max_tokens: {MAX_TOKENS}}}
  - {{stage: judge, model: policy, mode: pairwise}}
  - {{stage: pair, strategy: best_worst}}
export: [{{config: dpo}}]
placement: {{workers: 1, part_rows: {PART_ROWS}, models: {{policy: {{kv_cache_mb: 512}}}}}}
"""


def main() -> None:
    """Measure each way in turn and print."""
    if len(sys.argv) > 1 and sys.argv[1] in WAYS:
        print(json.dumps(WAYS[sys.argv[1]]()))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            told = run(way)
            rates[way].append(told["tokens"] / told["seconds"])
            print(f"{way}: {told['tokens']} tokens, {told['seconds']:.1f} s, {told['lengths']}")
    for way, values in rates.items():
        ratio = statistics.median(a / b for a, b in zip(values, rates["all"], strict=True))
        print(
            f"{way:10}{statistics.median(values):8.1f} tokens/s  ratio to all at once {ratio:.3f}"
        )


def run(way: str) -> dict[str, Any]:
    """One way in a process of its own; what it printed last."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_generation", way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


class Recorder:
    """A model that notes what it is asked and answers nothing."""

    fingerprint = "recorder"
    capabilities = frozenset({"generate"})

    def __init__(self) -> None:
        self.requests: list[GenerateRequest] = []

    def generate(self, requests: list[GenerateRequest]) -> list[Failure]:
        self.requests += requests
        return [Failure(request.request_id, "server", "recorded") for request in requests]


class Stopwatch(Listener):
    """From the first request to the last commit."""

    first = last = 0.0

    def tell(self, message: dict[str, Any]) -> None:
        if "expect" in message and not self.first:
            self.first = time.perf_counter()

    def part_done(self, step: KeyedStep, report: PartReport) -> None:
        self.last = time.perf_counter()


def steps_in(folder: Path) -> tuple[Plan, list[KeyedStep]]:
    """The recipe up to `respond`, to be worked on in a folder."""
    rows = (json.dumps({"prompt": prompt}) for prompt in PROMPTS)
    (folder / "prompts.jsonl").write_text("\n".join(rows))
    (folder / "recipe.yaml").write_text(RECIPE)
    plan = compile_recipe(read_recipe(folder / "recipe.yaml"))
    return plan, key_steps(plan, resolve_models(plan), LocalFolder(folder / "work"))[:2]


def work(plan: Plan, steps: list[KeyedStep], placement: Placement, watch: Listener) -> None:
    """Do the steps as `prefmill run` does."""
    shapes, fleet = staffed(plan, resolve_models(plan), steps)
    start = partial(open_executor, placement, fleet, lambda: None)
    Runner(plan, steps, shapes, start, watch, lambda: False).run()


def raw(part_rows: int) -> dict[str, Any]:
    """`LLM.generate` with just the requests of `respond`, so many at a time."""
    with tempfile.TemporaryDirectory() as name:
        plan, steps = steps_in(Path(name))
        work(plan, steps[:1], Placement(workers=0), Stopwatch())
        spec = with_files(steps[1].specs["policy"])
        tokenizer = tokenizer_of(spec)
        recorder = Recorder()
        models: Any = {"policy": recorder}
        context = FakeContext(
            models,
            stage="respond",
            recipe_seed=plan.recipe.seed,
            chat=chat_format(spec, tokenizer),
        )
        for table in steps[0].folder.tables():
            config: Any = steps[1].step.config
            respond.run(Batch(project(table, respond.STAGE)), config, context)
    llm = vllm_engine.load_llm(spec, on_cpu=True)
    jobs = [
        (
            {"prompt_token_ids": encode_prompt(tokenizer, request.prompt.text or "")},
            vllm_engine.sampling_params(request.sampling, request.seed, MAX_TOKENS),
        )
        for request in recorder.requests
    ]
    lengths: list[int] = []
    started = time.perf_counter()
    for start in range(0, len(jobs), part_rows):
        prompts, params = zip(*jobs[start : start + part_rows], strict=True)
        outputs = llm.generate(list(prompts), list(params), use_tqdm=False)
        lengths += [len(output.outputs[0].token_ids) for output in outputs]
    return facts(lengths, time.perf_counter() - started)


def recipe() -> dict[str, Any]:
    """The recipe on one Dask worker."""
    with tempfile.TemporaryDirectory() as name:
        plan, steps = steps_in(Path(name))
        watch = Stopwatch()
        work(plan, steps, plan.recipe.placement, watch)
        lengths = [
            row[0]["n_tokens"]
            for table in steps[1].folder.tables()
            for row in table["responses"].to_pylist()
        ]
    return facts(lengths, watch.last - watch.first)


def facts(lengths: list[int], seconds: float) -> dict[str, Any]:
    """What one way came to."""
    ordered = sorted(lengths)
    shown = {f"p{share}": ordered[len(ordered) * share // 100] for share in (10, 50, 90)}
    return {"tokens": sum(lengths), "seconds": seconds, "lengths": shown}


WAYS = {
    "all": lambda: raw(len(PROMPTS)),
    "parts": lambda: raw(PART_ROWS),
    "recipe": recipe,
}

if __name__ == "__main__":
    main()
