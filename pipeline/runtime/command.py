"""The command that started a run, as it may be shown and kept: without secrets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

HIDDEN = "***"
"""Stands where a secret stood."""

# `api_key_env` and `tokenizer` are no secrets; what stands after the name is one to the next key.
_SECRET = re.compile(
    r"""((?:api_?key|access_?key|secret(?:_?key)?|token|passw(?:or)?d|credentials?)["']?\s*[=:]\s*)
        [^,}\]]+""",
    re.IGNORECASE | re.VERBOSE,
)
_URL_USER = re.compile(r"://[^/@\s]+@")


def masked(words: Sequence[str]) -> list[str]:
    """The words of a command, what looks like a secret hidden.

    Recipes name secrets by environment variable, so none should be there to begin with.
    """
    hidden = (_SECRET.sub(rf"\1{HIDDEN}", word) for word in words)
    return [_URL_USER.sub(f"://{HIDDEN}@", word) for word in hidden]


def resume_command(words: Sequence[str], started_in: str) -> str:
    """What to type to go on: the command without `--resume`, in the folder where it was typed."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif _is_resume(word):
            skip = "=" not in word
        else:
            kept.append(word)
    command = shlex.join(["prefmill", *kept])
    here = str(Path.cwd())
    return command if started_in == here else f"cd {shlex.quote(started_in)} && {command}"


def _is_resume(word: str) -> bool:
    """Also abbreviated, as argparse allows: no other option of `run` begins with `--r`."""
    option = word.split("=", 1)[0]
    return len(option) > 2 and "--resume".startswith(option)
