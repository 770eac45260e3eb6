"""Small randomly initialised models with a tokenizer, saved to a folder: for slow tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

WINDOW = 64
CHAT = (
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}> {{ m.content | trim }} <end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
WORDS = [f"w{i}" for i in range(100)]


def save_tokenizer(folder: Path) -> int:
    """Words split at white space, with a chat template; returns the size of the vocabulary.

    As in many models, what pads a row is what ends a turn.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<unk>", "<s>", "<end>", "<user>", "<assistant>", "<system>"]
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS])}
    model = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=model,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="<end>",
        pad_token="<end>",
        additional_special_tokens=special[3:],
        model_max_length=WINDOW,
    )
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    return len(vocabulary)


def save_llama(folder: Path, *, outputs: Sequence[str] = (), seed: int = 0) -> Path:
    """A Llama of 2 layers; with names of outputs a sequence classifier, else a language model."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    settings: dict[str, Any] = {"id2label": dict(enumerate(outputs))} if outputs else {}
    config = LlamaConfig(
        vocab_size=save_tokenizer(folder),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=WINDOW,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        **settings,
    )
    torch.manual_seed(seed)
    kind = LlamaForSequenceClassification if outputs else LlamaForCausalLM
    kind(config).save_pretrained(folder)
    return folder
