"""Unpacking the real file, and files that are damaged."""

from pathlib import Path

import pytest

from pipeline.engines.bundled import ALIASES, dequantise, is_whole, packaged_path
from schemas.errors import InputError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SMOL = ALIASES["smollm2-135m-instruct"]


@pytest.mark.parametrize("damage", ["garbage", "truncated"])
def test_a_damaged_gguf_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    source, target = tmp_path / SMOL.file, tmp_path / "out"
    target.mkdir()
    content = packaged_path(SMOL).read_bytes()
    source.write_bytes(b"not a model" if damage == "garbage" else content[: len(content) // 2])
    with pytest.raises(InputError, match="cannot be read as a GGUF model"):
        dequantise(source, target)


def test_the_bundled_model_is_a_whole_chat_model(smol_path: Path) -> None:
    from transformers import AutoConfig, AutoTokenizer

    assert is_whole(smol_path)
    tokenizer = AutoTokenizer.from_pretrained(smol_path)
    config = AutoConfig.from_pretrained(smol_path)
    assert "<|im_start|>" in tokenizer.chat_template
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert config.num_hidden_layers == 30
    assert str(config.dtype).endswith("float32")
