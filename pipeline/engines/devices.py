"""What this machine has to run models on, found out without loading any of it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

_TIMEOUT_S = 10.0
_QUERY = [
    "nvidia-smi",
    "--query-gpu=index,name,memory.total,memory.free",
    "--format=csv,noheader,nounits",
]


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, numbered as `nvidia-smi` does."""

    index: int
    name: str
    memory_mb: int
    free_mb: int


def find_devices() -> tuple[Device, ...]:
    """The NVIDIA GPUs that this process may use; none if there is no driver to tell of any."""
    try:
        told = subprocess.run(
            _QUERY, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = [device for line in told.splitlines() if (device := _device(line))]
    allowed = _visible()
    return tuple(device for device in found if allowed is None or device.index in allowed)


def _device(line: str) -> Device | None:
    """One line of the answer; a GPU that is broken tells no numbers, and is left out."""
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != 4 or not all(cells[i].isdecimal() for i in (0, 2, 3)):
        return None
    return Device(int(cells[0]), cells[1], int(cells[2]), int(cells[3]))


def _visible() -> set[int] | None:
    """The devices that CUDA_VISIBLE_DEVICES leaves; None if it does not say by number."""
    names = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "-").split(",")]
    return {int(name) for name in names} if all(map(str.isdecimal, names)) else None


def host_memory_mb() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def host_cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))
