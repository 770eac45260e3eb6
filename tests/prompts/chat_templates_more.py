"""More of `chat_templates`: forms that mark turns with plain words, and unusual tokens."""

from __future__ import annotations

from tests.prompts.chat_templates import (
    EMPTY_SYSTEM,
    GEMMA,
    LLAMA3,
    LLAMA32,
    MISTRAL,
    PHI3,
    QWEN3,
    QWEN25,
    SMOLLM2,
    YI,
    Family,
)

PLAIN_TOKENS = {"<unk>": 0, "<s>": 1, "</s>": 2}

ZEPHYR = Family(
    name="zephyr",
    template=(
        "{% for m in messages %}"
        "{{ '<|' + m['role'] + '|>\\n' + m['content'] + eos_token + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
    ),
    tokens={"<unk>": 0, "<s>": 1, "</s>": 2},
    bos="<s>",
    eos="</s>",
    prefix="<|user|>\n",
    bare="<|user|>\n",
    asked="<|user|>\nHi</s>\n<|assistant|>\n",
    followed="<|user|>\nHi</s>\n<|assistant|>\nYo</s>\n<|user|>\n",
    steered="<|system|>\nSys</s>\n<|user|>\n",
    stop_ids=(2,),
)

VICUNA_SYSTEM = "A chat between a curious user and an artificial intelligence assistant. "
VICUNA = Family(
    name="vicuna",
    template=(
        "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] + ' ' }}"
        f"{{% else %}}{{{{ '{VICUNA_SYSTEM}' }}}}{{% endif %}}"
        "{% for m in messages %}"
        "{% if m['role'] == 'user' %}{{ 'USER: ' + m['content'] }}"
        "{% elif m['role'] == 'assistant' %}{{ ' ASSISTANT: ' + m['content'] + eos_token }}"
        "{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
    ),
    tokens=PLAIN_TOKENS,
    bos="<s>",
    eos="</s>",
    prefix=VICUNA_SYSTEM + "USER: ",
    bare="USER: ",
    asked=VICUNA_SYSTEM + "USER: Hi ASSISTANT:",
    followed=VICUNA_SYSTEM + "USER: Hi ASSISTANT: Yo</s>USER: ",
    steered="Sys USER: ",
    stop_ids=(2,),
    stop_texts=(" ASSISTANT:", "\nASSISTANT:"),
)

LLAMA2_HEAD = "<s>[INST] <<SYS>>\nBe safe.\n<</SYS>>\n\n"
LLAMA2 = Family(
    name="llama-2",
    template=(
        "{% if messages[0]['role'] == 'system' %}{% set sys = messages[0]['content'] %}"
        "{% set turns = messages[1:] %}"
        "{% else %}{% set sys = 'Be safe.' %}{% set turns = messages %}{% endif %}"
        "{% for m in turns %}{% if m['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' }}"
        "{% if loop.first %}{{ '<<SYS>>\\n' + sys + '\\n<</SYS>>\\n\\n' }}{% endif %}"
        "{{ m['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
    tokens=PLAIN_TOKENS,
    bos="<s>",
    eos="</s>",
    prefix=LLAMA2_HEAD,
    bare="<s>[INST] ",
    asked=LLAMA2_HEAD + "Hi [/INST]",
    followed=LLAMA2_HEAD + "Hi [/INST] Yo </s><s>[INST] ",
    steered="<s>[INST] <<SYS>>\nSys\n<</SYS>>\n\n",
    stop_ids=(2,),
    stop_texts=("[/INST]",),
)

R1_BOS = "<｜begin▁of▁sentence｜>"
R1_EOS = "<｜end▁of▁sentence｜>"
R1 = Family(
    name="deepseek-r1",
    template=(
        "{{ bos_token }}{% for m in messages %}"
        "{% if m['role'] == 'system' %}{{ m['content'] }}{% endif %}"
        "{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% endif %}"
        "{% if m['role'] == 'assistant' %}"
        "{{ '<｜Assistant｜>' + m['content'].split('</think>')[-1] + eos_token }}{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"
    ),
    tokens={R1_BOS: 0, R1_EOS: 1, "<｜User｜>": 3, "<｜Assistant｜>": 4},
    bos=R1_BOS,
    eos=R1_EOS,
    prefix=R1_BOS + "<｜User｜>",
    bare=R1_BOS + "<｜User｜>",
    asked=R1_BOS + "<｜User｜>Hi<｜Assistant｜><think>\n",
    followed=R1_BOS + "<｜User｜>Hi<｜Assistant｜>Yo" + R1_EOS + "<｜User｜>",
    steered=R1_BOS + "Sys<｜User｜>",
    stop_ids=(4, 1),
)

COMMAND_HEAD = (
    "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>You are Command-R.<|END_OF_TURN_TOKEN|>"
)
COMMAND_USER = "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>"
COMMAND_BOT = "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
COMMAND_R = Family(
    name="command-r",
    template=(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
        "{% set turns = messages[1:] %}{% set sys = messages[0]['content'] %}"
        "{% else %}{% set turns = messages %}{% set sys = 'You are Command-R.' %}{% endif %}"
        "{{ '<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>' + sys + '<|END_OF_TURN_TOKEN|>' }}"
        "{% for m in turns %}"
        "{% set who = '<|USER_TOKEN|>' if m['role'] == 'user' else '<|CHATBOT_TOKEN|>' %}"
        "{{ '<|START_OF_TURN_TOKEN|>' + who + m['content'] | trim + '<|END_OF_TURN_TOKEN|>' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}"
        "{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}"
    ),
    tokens={
        "<BOS_TOKEN>": 5,
        "<|START_OF_TURN_TOKEN|>": 255000,
        "<|END_OF_TURN_TOKEN|>": 255001,
        "<|USER_TOKEN|>": 255006,
        "<|CHATBOT_TOKEN|>": 255007,
        "<|SYSTEM_TOKEN|>": 255008,
    },
    bos="<BOS_TOKEN>",
    eos="<|END_OF_TURN_TOKEN|>",
    prefix=COMMAND_HEAD + COMMAND_USER,
    bare="<BOS_TOKEN>" + COMMAND_USER,
    asked=COMMAND_HEAD + COMMAND_USER + "Hi<|END_OF_TURN_TOKEN|>" + COMMAND_BOT,
    followed=COMMAND_HEAD
    + COMMAND_USER
    + "Hi<|END_OF_TURN_TOKEN|>"
    + COMMAND_BOT
    + "Yo<|END_OF_TURN_TOKEN|>"
    + COMMAND_USER,
    steered="<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Sys<|END_OF_TURN_TOKEN|>"
    + COMMAND_USER,
    stop_ids=(255001, 255000, 255007),
    trims=True,
)

GLM = Family(
    name="glm-4",
    template=(
        "{{ '[gMASK]<sop>' }}{% for m in messages %}"
        "{{ '<|' + m['role'] + '|>\\n' + m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    ),
    tokens={
        "[gMASK]": 51,
        "<sop>": 53,
        "<|system|>": 35,
        "<|user|>": 36,
        "<|assistant|>": 37,
        "<|endoftext|>": 29,
    },
    eos="<|endoftext|>",
    prefix="[gMASK]<sop><|user|>\n",
    bare="[gMASK]<sop><|user|>\n",
    asked="[gMASK]<sop><|user|>\nHi<|assistant|>",
    followed="[gMASK]<sop><|user|>\nHi<|assistant|>\nYo<|user|>\n",
    steered="[gMASK]<sop><|system|>\nSys<|user|>\n",
    stop_ids=(37, 29),
)

FAMILIES = (
    QWEN25,
    SMOLLM2,
    YI,
    EMPTY_SYSTEM,
    QWEN3,
    LLAMA3,
    LLAMA32,
    GEMMA,
    MISTRAL,
    PHI3,
    ZEPHYR,
    VICUNA,
    LLAMA2,
    R1,
    COMMAND_R,
    GLM,
)
