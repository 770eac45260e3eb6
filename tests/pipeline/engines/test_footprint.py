"""Memory of models, worked out by hand from files that say how large they are."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.bundled import ALIASES, packaged_path
from pipeline.engines.footprint import Footprint, attention_heads, footprint, window_bytes
from schemas.errors import InputError
from schemas.recipe import ModelPlacement
from tests.pipeline.rigs import model_folder, spec

GIB = 2**30
PLAIN = {
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "num_hidden_layers": 8,
    "max_position_embeddings": 4096,
}
KV_BYTES = 2 * 8 * 4 * 64 * 4096 * 2
"""Keys and values x layers x heads x head size x window x two bytes each."""


@pytest.mark.parametrize(
    ("stored", "dtype", "on_gpu", "gib"),
    [
        ("BF16", "auto", True, 2),
        ("BF16", "auto", False, 4),
        ("BF16", "bfloat16", False, 2),
        ("F32", "auto", True, 1),
        ("F32", "float32", True, 2),
        ("F16", "float32", True, 4),
        ("F8_E4M3", "auto", False, 2),
        ("I32", "auto", False, 2),
    ],
)
def test_weights_in_the_format_they_are_run_in(
    tmp_path: Path, stored: str, dtype: str, on_gpu: bool, gib: int
) -> None:
    folder = model_folder(tmp_path / "m", 2, stored)
    found = footprint(spec("m", "transformers", str(folder), dtype=dtype), on_gpu)
    assert found == Footprint(gib * GIB, 0)


def test_embedding_models_run_in_float32_on_any_device(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", 2, "BF16")
    found = footprint(spec("m", "transformers", str(folder), kind="embedding"), True)
    assert found == Footprint(4 * GIB, 0)


def test_shards_are_those_of_the_index(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, 2)
    for name in ("a.safetensors", "b.safetensors"):
        (folder / name).write_bytes((folder / "model.safetensors").read_bytes())
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert footprint(spec("m", "vllm", str(folder)), True) == Footprint(4 * GIB, 0)
    (folder / "b.safetensors").unlink()
    assert footprint(spec("m", "vllm", str(folder)), True) is None


def test_older_files(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(1000))
    (tmp_path / "training_args.bin").write_bytes(bytes(77))
    (tmp_path / "config.json").write_text('{"torch_dtype": "float16"}')
    assert footprint(spec("m", "transformers", str(tmp_path)), False) == Footprint(2000, 0)
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "m.gguf")
    assert footprint(spec("m", "transformers", str(tmp_path)), False) == Footprint(1000, 0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8 + b"{}",
        b"\x02\x00\x00\x00\x00\x00\x00\x00[]",
        b"\x05\x00\x00\x00\x00\x00\x00\x00{oops",
        b'\x09\x00\x00\x00\x00\x00\x00\x00{"w": {}}',
    ],
)
def test_damaged_weights_are_unknown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    assert footprint(spec("m", "vllm", str(tmp_path)), True) is None


def test_a_model_of_the_hub_is_unknown_until_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    wanted = replace(spec("m", "vllm", "org/name"), revision="abc")
    assert footprint(wanted, True) is None
    assert attention_heads(wanted) is None
    model_folder(tmp_path / "models--org--name" / "snapshots" / "abc", 1, num_attention_heads=6)
    assert footprint(wanted, True) == Footprint(GIB, 0)
    assert attention_heads(wanted) == 6


def test_the_cache_of_a_cpu_is_as_placed(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, 1, "F32", **PLAIN)
    assert footprint(spec("m", "vllm", str(folder)), False) == Footprint(GIB, GIB)
    small = ModelPlacement(kv_cache_mb=512, tensor_parallel=3)
    assert footprint(spec("m", "vllm", str(folder), small), False) == Footprint(GIB, 3 * GIB // 2)


def test_the_cache_of_a_gpu_holds_at_least_a_window(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, 1, **PLAIN)
    assert footprint(spec("m", "vllm", str(folder)), True) == Footprint(GIB, KV_BYTES)
    half = spec("m", "vllm", str(folder), max_model_len=2048)
    assert footprint(half, True) == Footprint(GIB, KV_BYTES // 2)
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 1024}')
    assert footprint(spec("m", "vllm", str(folder)), True) == Footprint(GIB, KV_BYTES // 4)


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({}, 1),
        ({"head_dim": 128}, 2),
        ({"head_dim": None}, 1),
        ({"layer_types": ["full_attention"] * 8}, 1),
        ({"sliding_window": 1024, "use_sliding_window": False}, 1),
        ({"sliding_window": 1024}, 0),
        ({"layer_types": ["full_attention", "linear_attention"]}, 0),
        ({"kv_lora_rank": 512}, 0),
        ({"quantization_config": {"kv_cache_scheme": {}}}, 0),
        ({"num_key_value_heads": None}, 0),
        ({"num_hidden_layers": "eight"}, 0),
        ({"max_position_embeddings": None}, 0),
    ],
)
def test_where_the_plain_formula_does_not_hold_nothing_is_claimed(
    tmp_path: Path, change: dict[str, Any], factor: int
) -> None:
    folder = model_folder(tmp_path, 1, **PLAIN | change)
    assert window_bytes(spec("m", "vllm", str(folder)), True) == factor * KV_BYTES
    nested = model_folder(tmp_path / "nested", 1, text_config=PLAIN | change)
    assert window_bytes(spec("m", "vllm", str(nested)), True) == factor * KV_BYTES


@pytest.mark.parametrize("engine", ["openai", "scripted"])
def test_others_need_nothing_here(engine: str) -> None:
    assert footprint(spec("m", engine), True) == Footprint(0, 0)


ALIAS = "smollm2-135m-instruct"


def test_the_bundled_model_is_known_before_it_is_unpacked() -> None:
    found = footprint(spec("m", "vllm", ALIAS), False)
    assert found == Footprint(134_515_008 * 4, GIB)
    assert footprint(spec("m", "transformers", ALIAS), True) == Footprint(134_515_008 * 2, 0)
    assert attention_heads(spec("m", "vllm", ALIAS)) == 9


def test_what_is_said_of_the_bundled_model_is_in_its_file() -> None:
    gguf = pytest.importorskip("gguf")
    bundled = ALIASES[ALIAS]
    try:
        path = packaged_path(bundled)
    except InputError as error:
        pytest.skip(str(error))
    reader = gguf.GGUFReader(path)
    assert sum(int(tensor.n_elements) for tensor in reader.tensors) == bundled.parameters

    def value(key: str) -> int:
        return int(reader.fields[f"llama.{key}"].contents())

    assert bundled.config == {
        "hidden_size": value("embedding_length"),
        "max_position_embeddings": value("context_length"),
        "num_attention_heads": value("attention.head_count"),
        "num_hidden_layers": value("block_count"),
        "num_key_value_heads": value("attention.head_count_kv"),
    }


def test_what_is_said_of_the_bundled_encoder_is_in_its_folder() -> None:
    bundled = ALIASES["all-minilm-l6-v2"]
    try:
        folder = packaged_path(bundled)
    except InputError as error:
        pytest.skip(str(error))
    config = json.loads((folder / "config.json").read_text())
    assert bundled.config == {name: config[name] for name in bundled.config}
    with (folder / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    del header["__metadata__"]
    shapes = [tensor["shape"] for tensor in header.values() if tensor["dtype"] == "F32"]
    assert sum(math.prod(shape) for shape in shapes) == bundled.parameters
