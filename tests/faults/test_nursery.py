"""The process from which workers are forked comes and goes with a run."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing import forkserver
from typing import Any

import psutil
import pytest

from pipeline.runtime.nursery import close_nursery, open_nursery
from stages._preload import KERNELS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


def the_process() -> psutil.Process:
    server: Any = forkserver._forkserver
    return psutil.Process(server._forkserver_pid)


def test_it_is_gone_when_it_is_closed_even_while_it_imports() -> None:
    open_nursery()
    first = the_process()
    assert first.is_running()
    close_nursery()
    assert not first.is_running()
    close_nursery()
    open_nursery()
    assert the_process().is_running(), "it can be opened again"
    close_nursery()


def has_numba(answers: Any) -> None:
    answers.put("numba.np.arraymath" in sys.modules)


@pytest.mark.parametrize("preload", [(), KERNELS])
def test_workers_have_what_it_was_told_to_import(preload: tuple[str, ...]) -> None:
    open_nursery(preload)
    context = multiprocessing.get_context("forkserver")
    answers = context.SimpleQueue()
    worker = context.Process(target=has_numba, args=(answers,))
    worker.start()
    assert answers.get() == bool(preload)
    worker.join()
    close_nursery()
