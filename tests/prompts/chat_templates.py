"""Chat templates of the forms that well-known models use, written for these tests.

The expected strings are written by hand: what Magpie's left-hand prompt must be, with the default
system turn and without it; what stops a user turn; and two whole renderings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prompts.chat import TemplateChat

CHATML_TURNS = (
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CHATML_TOKENS = {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}


@dataclass(frozen=True)
class Family:
    """A template and what must be derived from it.

    Attributes:
        prefix: left-hand prompt of a first turn.
        bare: the same without the default system turn.
        asked: rendering of [user "Hi"].
        followed: left-hand prompt after [user "Hi", assistant "Yo"].
        steered: left-hand prompt of a first turn with the system text "Sys".
    """

    name: str
    template: str
    tokens: Mapping[str, int]
    prefix: str
    bare: str
    asked: str
    followed: str
    steered: str
    stop_ids: tuple[int, ...]
    stop_texts: tuple[str, ...] = ()
    bos: str | None = None
    eos: str | None = None
    trims: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def chat(self) -> TemplateChat:
        return TemplateChat(self.template, self.tokens, self.bos, self.eos, self.extra)


def default_system(text: str) -> str:
    return (
        "{% if messages[0].role != 'system' %}"
        f"{{{{ '<|im_start|>system\\n{text}<|im_end|>\\n' }}}}"
        "{% endif %}"
    )


QWEN_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
QWEN_HEAD = f"<|im_start|>system\n{QWEN_SYSTEM}<|im_end|>\n"
QWEN25 = Family(
    name="qwen2.5",
    template=default_system(QWEN_SYSTEM) + CHATML_TURNS,
    tokens=CHATML_TOKENS,
    eos="<|im_end|>",
    prefix=QWEN_HEAD + "<|im_start|>user\n",
    bare="<|im_start|>user\n",
    asked=QWEN_HEAD + "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    followed=QWEN_HEAD + "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
    "<|im_start|>user\n",
    steered="<|im_start|>system\nSys<|im_end|>\n<|im_start|>user\n",
    stop_ids=(2, 1),
)

SMOL_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
SMOL_HEAD = f"<|im_start|>system\n{SMOL_SYSTEM}<|im_end|>\n"
SMOLLM2 = Family(
    name="smollm2",
    template=default_system(SMOL_SYSTEM) + CHATML_TURNS,
    tokens=CHATML_TOKENS,
    bos="<|im_start|>",
    eos="<|im_end|>",
    prefix=SMOL_HEAD + "<|im_start|>user\n",
    bare="<|im_start|>user\n",
    asked=SMOL_HEAD + "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    followed=SMOL_HEAD + "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
    "<|im_start|>user\n",
    steered="<|im_start|>system\nSys<|im_end|>\n<|im_start|>user\n",
    stop_ids=(2, 1),
)

YI = Family(
    name="yi",
    template=CHATML_TURNS,
    tokens={"<|startoftext|>": 1, "<|endoftext|>": 2, "<|im_start|>": 6, "<|im_end|>": 7},
    bos="<|startoftext|>",
    eos="<|endoftext|>",
    prefix="<|im_start|>user\n",
    bare="<|im_start|>user\n",
    asked="<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    followed="<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
    "<|im_start|>user\n",
    steered="<|im_start|>system\nSys<|im_end|>\n<|im_start|>user\n",
    stop_ids=(7, 6, 2),
)

EMPTY_SYSTEM = Family(
    name="chatml with an empty default system turn",
    template=default_system("") + CHATML_TURNS,
    tokens=CHATML_TOKENS,
    prefix="<|im_start|>system\n<|im_end|>\n<|im_start|>user\n",
    bare="<|im_start|>user\n",
    asked="<|im_start|>system\n<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    followed="<|im_start|>system\n<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    "<|im_start|>assistant\nYo<|im_end|>\n<|im_start|>user\n",
    steered="<|im_start|>system\nSys<|im_end|>\n<|im_start|>user\n",
    stop_ids=(2, 1),
)

QWEN3 = Family(
    name="qwen3",
    template=CHATML_TURNS.replace(
        "assistant\\n' }}{% endif %}",
        "assistant\\n' }}"
        "{% if enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}",
    ),
    tokens=CHATML_TOKENS,
    eos="<|im_end|>",
    prefix="<|im_start|>user\n",
    bare="<|im_start|>user\n",
    asked="<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    followed="<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
    "<|im_start|>user\n",
    steered="<|im_start|>system\nSys<|im_end|>\n<|im_start|>user\n",
    stop_ids=(2, 1),
)

LLAMA3_TOKENS = {
    "<|begin_of_text|>": 128000,
    "<|end_of_text|>": 128001,
    "<|start_header_id|>": 128006,
    "<|end_header_id|>": 128007,
    "<|eot_id|>": 128009,
}
LLAMA3_USER = "<|start_header_id|>user<|end_header_id|>\n\n"
LLAMA3_ASSISTANT = "<|start_header_id|>assistant<|end_header_id|>\n\n"
LLAMA3 = Family(
    name="llama-3",
    template=(
        "{% for m in messages %}{% set turn = '<|start_header_id|>' + m['role'] + "
        "'<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' %}"
        "{% if loop.index0 == 0 %}{% set turn = bos_token + turn %}{% endif %}"
        "{{ turn }}{% endfor %}"
        "{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    ),
    tokens=LLAMA3_TOKENS,
    bos="<|begin_of_text|>",
    eos="<|end_of_text|>",
    prefix="<|begin_of_text|>" + LLAMA3_USER,
    bare="<|begin_of_text|>" + LLAMA3_USER,
    asked="<|begin_of_text|>" + LLAMA3_USER + "Hi<|eot_id|>" + LLAMA3_ASSISTANT,
    followed="<|begin_of_text|>"
    + LLAMA3_USER
    + "Hi<|eot_id|>"
    + LLAMA3_ASSISTANT
    + "Yo<|eot_id|>"
    + LLAMA3_USER,
    steered="<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nSys<|eot_id|>"
    + LLAMA3_USER,
    stop_ids=(128009, 128006, 128007, 128001),
    trims=True,
)

LLAMA32_SYSTEM = "<|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\n"
LLAMA32_HEAD = "<|begin_of_text|>" + LLAMA32_SYSTEM
LLAMA32 = Family(
    name="llama-3.2",
    template=(
        "{{- bos_token }}"
        "{%- if messages[0]['role'] == 'system' %}"
        "{%- set sys = messages[0]['content'] | trim %}{%- set messages = messages[1:] %}"
        "{%- else %}{%- set sys = '' %}{%- endif %}"
        "{{- '<|start_header_id|>system<|end_header_id|>\\n\\n' }}"
        "{{- 'Today Date: ' + strftime_now('%d %b %Y') + '\\n\\n' }}{{- sys + '<|eot_id|>' }}"
        "{%- for m in messages %}{{- '<|start_header_id|>' + m['role'] + "
        "'<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}"
        "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"
    ),
    tokens=LLAMA3_TOKENS,
    bos="<|begin_of_text|>",
    eos="<|eot_id|>",
    prefix=LLAMA32_HEAD + "<|eot_id|>" + LLAMA3_USER,
    bare="<|begin_of_text|>" + LLAMA3_USER,
    asked=LLAMA32_HEAD + "<|eot_id|>" + LLAMA3_USER + "Hi<|eot_id|>" + LLAMA3_ASSISTANT,
    followed=LLAMA32_HEAD
    + "<|eot_id|>"
    + LLAMA3_USER
    + "Hi<|eot_id|>"
    + LLAMA3_ASSISTANT
    + "Yo<|eot_id|>"
    + LLAMA3_USER,
    steered=LLAMA32_HEAD + "Sys<|eot_id|>" + LLAMA3_USER,
    stop_ids=(128009, 128006, 128007),
    trims=True,
)

GEMMA = Family(
    name="gemma",
    template=(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}"
        "{% for m in messages %}"
        "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
        "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
        "{{ '<start_of_turn>' + role + '\\n' + m['content'] | trim + '<end_of_turn>\\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
    ),
    tokens={"<eos>": 1, "<bos>": 2, "<start_of_turn>": 106, "<end_of_turn>": 107},
    bos="<bos>",
    eos="<eos>",
    prefix="<bos><start_of_turn>user\n",
    bare="<bos><start_of_turn>user\n",
    asked="<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    followed="<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nYo<end_of_turn>\n"
    "<start_of_turn>user\n",
    steered="<bos><start_of_turn>user\nSys\n\n",
    stop_ids=(107, 106, 1),
    trims=True,
)

MISTRAL = Family(
    name="mistral v0.3",
    template=(
        "{{ bos_token }}{% for m in messages %}"
        "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('user and assistant must alternate') }}{% endif %}"
        "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + '[/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
    ),
    tokens={"<unk>": 0, "<s>": 1, "</s>": 2, "[INST]": 3, "[/INST]": 4},
    bos="<s>",
    eos="</s>",
    prefix="<s>[INST] ",
    bare="<s>[INST] ",
    asked="<s>[INST] Hi[/INST]",
    followed="<s>[INST] Hi[/INST] Yo</s>[INST] ",
    steered="<s>[INST] Sys\n\n",
    stop_ids=(4, 2),
)

PHI3 = Family(
    name="phi-3",
    template=(
        "{{ bos_token }}{% for m in messages %}"
        "{{ '<|' + m['role'] + '|>\\n' + m['content'] + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
    ),
    tokens={
        "<s>": 1,
        "<|endoftext|>": 32000,
        "<|assistant|>": 32001,
        "<|system|>": 32006,
        "<|end|>": 32007,
        "<|user|>": 32010,
    },
    bos="<s>",
    eos="<|endoftext|>",
    prefix="<s><|user|>\n",
    bare="<s><|user|>\n",
    asked="<s><|user|>\nHi<|end|>\n<|assistant|>\n",
    followed="<s><|user|>\nHi<|end|>\n<|assistant|>\nYo<|end|>\n<|user|>\n",
    steered="<s><|system|>\nSys<|end|>\n<|user|>\n",
    stop_ids=(32007, 32001, 32000),
)
