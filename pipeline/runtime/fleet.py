"""Which worker processes a run has, on which devices, for which models."""

from __future__ import annotations

from dataclasses import dataclass, field

GENERAL = ""
"""The group of workers that no model has to itself."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One worker process on this machine.

    Attributes:
        name: unique, e.g. `policy-0`.
        group: the role that has it to itself, or GENERAL.
        devices: GPUs it sees.
        env: environment variables it starts with, e.g. `CUDA_VISIBLE_DEVICES`.
        children: whether its engine has processes of its own, e.g. for `tensor_parallel`.
    """

    name: str
    group: str = GENERAL
    devices: tuple[int, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    children: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers of a run.

    Attributes:
        seats: workers to start on this machine; empty where others provide them.
        lanes: by group, how many parts a worker of it has in hand at once.
    """

    seats: tuple[Seat, ...] = ()
    lanes: dict[str, int] = field(default_factory=lambda: {GENERAL: 1})
