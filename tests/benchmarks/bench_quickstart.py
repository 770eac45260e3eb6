"""Where quickstart's time goes: `python -m tests.benchmarks.bench_quickstart`.

Runs the recipe cold (the model's folder not yet made) and warm (everything complete), then the
prompts of the cold run's `respond` step once more through raw `LLM.generate`, in this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RECIPE = "configs/quickstart.yaml"


def timed(command: list[str], **env: str) -> tuple[float, str]:
    """Wall seconds of a command and what it printed."""
    started = time.perf_counter()
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **env}
    )
    return time.perf_counter() - started, done.stdout


def run_command(out: Path) -> list[str]:
    """The command that users run."""
    prefmill = str(Path(sys.executable).with_name("prefmill"))
    return [prefmill, "run", RECIPE, "--out", str(out), "--json"]


def raw_generate(prompts: list[str], sampled: int, cache: Path) -> dict[str, float]:
    """Import, load and generate with vLLM alone; as many tokens on average as the run sampled."""
    started = time.perf_counter()
    os.environ["PREFMILL_CACHE"] = str(cache)
    from pipeline.engines.resolve import resolve_model
    from pipeline.recipe_io import read_recipe
    from pipeline.compile import compile_recipe
    from schemas.recipe import ModelPlacement

    recipe = compile_recipe(read_recipe(Path(RECIPE))).recipe
    spec = resolve_model("policy", recipe.models["policy"], ModelPlacement(), Path())
    from pipeline.engines.open import open_model

    loaded = open_model(spec)
    ready = time.perf_counter()
    from schemas.models import GenerateRequest, Message, Sampling

    sampling = Sampling(temperature=1.0, max_tokens=max(1, sampled // len(prompts)))
    requests = [
        GenerateRequest(str(n), loaded.chat.render([Message("user", text)]), sampling, seed=n)
        for n, text in enumerate(prompts)
    ]
    results = loaded.generator.generate(requests)
    done = time.perf_counter()
    loaded.generator.close()
    tokens = sum(getattr(result, "n_tokens", 0) for result in results)
    return {"load_s": ready - started, "generate_s": done - ready, "tokens": tokens}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        out, cache = Path(folder) / "out", Path(folder) / "cache"
        cold_s, printed = timed(run_command(out), PREFMILL_CACHE=str(cache))
        summary: dict[str, Any] = json.loads(printed)
        warm_s, _ = timed(run_command(out), PREFMILL_CACHE=str(cache))
        print(f"cold run {cold_s:.1f} s, run again {warm_s:.1f} s")
        for step in summary["steps"]:
            usage = step["usage"]
            print(
                f"  {step['step']:12} {step['seconds']:6.1f} s, of which the engine "
                f"{usage['engine_s']:6.1f} s, {usage['sampled_tokens']} tokens sampled, "
                f"{usage['requests']} requests"
            )
        respond = next(step for step in summary["steps"] if step["step"] == "respond")
        prompts = prompts_of(out) * (respond["usage"]["requests"] // max(1, len(prompts_of(out))))
        raw = raw_generate(prompts, respond["usage"]["sampled_tokens"], cache)
        ours = respond["usage"]["sampled_tokens"] / respond["usage"]["engine_s"]
        alone = raw["tokens"] / raw["generate_s"]
        print(f"respond: {ours:.0f} tokens/s in the run, {alone:.0f} tokens/s alone")
        print(f"  ratio {ours / alone:.2f}; loading the model alone {raw['load_s']:.1f} s")


def prompts_of(out: Path) -> list[str]:
    """The instructions that the run's `respond` step answered."""
    import pyarrow as pa

    folder = next(out.glob("work/*-respond-*"))
    texts = []
    for path in sorted(folder.glob("part-?????.arrow")):
        with pa.memory_map(str(path)) as source:
            for messages in pa.ipc.open_file(source).read_all()["messages"].to_pylist():
                texts.append(messages[-1]["content"])
    return texts


if __name__ == "__main__":
    main()
