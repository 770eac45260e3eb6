"""From a recipe's placement to an executor: which Dask cluster, started or joined how."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from typing import Any

from pipeline.runtime.deploy import start_cluster
from pipeline.runtime.executors import Executor, InlineExecutor
from pipeline.runtime.fleet import Fleet, Seat
from pipeline.runtime.model_pool import Tell
from pipeline.runtime.site import Site
from pipeline.runtime.worker_setup import Probe
from schemas.errors import InputError
from schemas.recipe import Placement

_CONNECT_S = 10
_DISCONNECT_S = 5
_STOP_S = 15
"""Dask kills a worker that has not stopped after 4 s."""

_DISMISS_S = 300
"""Clouds take minutes to delete machines, and machines that stay cost money."""

_SETTINGS = {
    # A worker that dies is our state machine's business: no silent retries.
    "distributed.scheduler.allowed-failures": 0,
    # Dask gives up a nanny whose worker is not back by then; on a busy machine 15 s are too few.
    "distributed.deploy.lost-worker-timeout": "5 minutes",
    # Dask pins numeric libraries to one thread, and has freed memory go back at once: an engine on
    # a CPU needs all its cores, and would map its buffers anew at every step.
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.worker.multiprocessing-method": "forkserver",  # see `nursery`
    # What Dask looks at many times a second to draw itself: each look takes a core from an engine
    # on a CPU, and with it all the others, which wait for each other at every step.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
}
"""For the life of a cluster, not of its start: Dask reads them when it restarts workers, too."""


def open_executor(placement: Placement, fleet: Fleet, probe: Probe, tell: Tell) -> Executor:
    """The executor that a recipe asks for.

    Args:
        probe: run on each worker that was not started here; raises OSError or InputError where
            the worker cannot reach the work folder.
        tell: gets what tasks tell, and `{"warning": text}`.

    Raises:
        InputError: the cluster cannot be reached or started, or its workers cannot be used.
    """
    if placement.scheduler is None and placement.workers == 0:
        return InlineExecutor(tell)

    from pipeline.runtime.dask_executor import DaskExecutor  # not needed without Dask

    if placement.scheduler is not None:
        return DaskExecutor(running_cluster(placement.scheduler, probe), fleet, tell)
    if placement.cluster is not None and placement.cluster.kind != "local":
        return DaskExecutor(deployed_cluster(placement, probe), fleet, tell)
    if placement.cluster is not None and placement.cluster.options:
        raise InputError(
            "placement.cluster.options: kind `local` takes none, and has "
            f"{', '.join(placement.cluster.options)}. Its workers follow `workers` and `devices`."
        )
    return DaskExecutor(local_cluster(fleet), fleet, tell)


def local_cluster(fleet: Fleet) -> Site:
    """Start a scheduler here and a process for each seat, on loopback and on ports that are free.

    Workers end with this process, however it ends, and what they started ends with them.
    """
    import dask
    from distributed import Client, Scheduler, SpecCluster

    from pipeline.runtime.nursery import close_nursery, open_nursery, stand_in_for_dask

    dashboard = find_spec("bokeh") is not None
    children = any(seat.children for seat in fleet.seats)
    with ExitStack() as undo:
        open_nursery(fleet.preload)
        stand_in_for_dask()
        undo.callback(close_nursery)
        # A daemonic process may not have children; with them, `guard` does what daemons do.
        undo.enter_context(
            dask.config.set({**_SETTINGS, "distributed.worker.daemon": not children})
        )
        cluster = SpecCluster(
            scheduler={
                "cls": Scheduler,
                "options": {
                    "host": "127.0.0.1",
                    "port": 0,
                    "dashboard": dashboard,
                    # Without a port Dask takes 8787, and says so where another run has it.
                    "dashboard_address": "127.0.0.1:0",
                },
            },
            workers={seat.name: _nanny(seat, fleet) for seat in fleet.seats},
            silence_logs=logging.CRITICAL,  # what matters is told by our own messages
        )
        undo.callback(cluster.close, timeout=_STOP_S)
        client = Client(cluster, set_as_default=False)
        undo.callback(client.close, timeout=_DISCONNECT_S)
        return Site(
            client,
            "the local Dask cluster",
            _local_advice,
            undo.pop_all().close,
            dashboard_link=cluster.dashboard_link if dashboard else None,
        )


def _nanny(seat: Seat, fleet: Fleet) -> dict[str, Any]:
    from distributed import Nanny

    setup = ["pipeline.runtime.worker_setup"]
    options = {
        "host": "127.0.0.1",
        "nthreads": fleet.lanes.get(seat.group, 1),
        "resources": {seat.group: 1} if seat.group else {},
        "env": seat.env,
        "memory_limit": 0,  # an engine's memory is not Dask's to manage
        "preload": [*setup, "pipeline.runtime.guard"] if seat.children else setup,
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
    }
    return {"cls": Nanny, "options": options}


def running_cluster(address: str, probe: Probe) -> Site:
    """Connect to a scheduler that others run; TLS by Dask's own `distributed.comm.tls` settings.

    Raises:
        InputError: nobody answers there.
    """
    import asyncio

    from distributed import Client
    from distributed.utils import silence_logging_cmgr

    with ExitStack() as undo:
        undo.enter_context(silence_logging_cmgr(logging.CRITICAL))
        try:
            asyncio.run(_knock(address))
            client = Client(address, timeout=_CONNECT_S, set_as_default=False)
        except Exception as error:  # addresses, sockets and TLS fail in many types
            reason = str(error) or type(error).__name__
            raise InputError(
                f"no Dask scheduler can be reached at {address}: {reason}. "
                "Give the address that `dask scheduler` prints, e.g. tcp://10.0.0.1:8786; for "
                "tls:// the settings distributed.comm.tls.* of Dask must name the certificates."
            ) from error
        undo.callback(client.close, timeout=_DISCONNECT_S)
        return Site(
            client,
            f"the Dask cluster at {address}",
            partial(_start_advice, address),
            undo.pop_all().close,
            probe,
            lasting=True,
            dashboard_link=client.dashboard_link,
        )


async def _knock(address: str) -> None:
    """Connect once: a `Client` that cannot leaves a thread behind, and may hang us later."""
    from distributed import Security
    from distributed.comm import connect

    arguments = Security().get_connection_args("client")
    comm = await connect(address, timeout=_CONNECT_S, **arguments)
    await comm.close()


def deployed_cluster(placement: Placement, probe: Probe) -> Site:
    """Start a cluster by one of Dask's deployers, for this run only.

    Raises:
        InputError: see `start_cluster`.
    """
    import dask
    from distributed import Client
    from distributed.utils import silence_logging_cmgr

    assert placement.cluster is not None
    kind = placement.cluster.kind
    with ExitStack() as undo:
        undo.enter_context(dask.config.set(_SETTINGS))
        undo.enter_context(silence_logging_cmgr(logging.CRITICAL))
        cluster = start_cluster(kind, placement.cluster.options, placement.workers)
        undo.callback(cluster.close, timeout=_DISMISS_S)
        client = Client(cluster, set_as_default=False)
        undo.callback(client.close, timeout=_DISCONNECT_S)
        return Site(
            client,
            f"the {kind} cluster",
            _queued_advice,
            undo.pop_all().close,
            probe,
            queued=True,
            dashboard_link=cluster.dashboard_link or None,
        )


def _local_advice(group: str) -> str:
    return "They died and could not be started again: is there memory and disk space left?"


def _start_advice(address: str, group: str) -> str:
    command = f"dask worker {address} --memory-limit 0"  # engines take what they need
    if not group:
        return f"Start some with: {command}"
    return (
        f'Start some with: {command} --resources "{group}=1". Or let the model share '
        f"the other workers: leave out `workers` and `devices` of placement.models.{group}."
    )


def _queued_advice(group: str) -> str:
    if not group:
        return "Its jobs may be queued still; look there. Waiting on."
    return (
        f'Its workers need `--resources "{group}=1"` (batch systems: options.worker_extra_args). '
        f"Or leave out `workers` and `devices` of placement.models.{group}."
    )
