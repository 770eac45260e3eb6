"""Dask's own deployers: batch systems, Kubernetes and clouds, each imported when it is asked for.

Slurm was tried with stand-ins for its commands (`tests/faults`); the others, Kubernetes and the
clouds among them, were only looked up.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from schemas.errors import InputError
from schemas.recipe import ClusterKind

_JOBQUEUE = "dask-jobqueue"
_CLOUD = "dask-cloudprovider"

DEPLOYERS: dict[ClusterKind, tuple[str, str, str]] = {
    "slurm": ("dask_jobqueue", "SLURMCluster", _JOBQUEUE),
    "pbs": ("dask_jobqueue", "PBSCluster", _JOBQUEUE),
    "lsf": ("dask_jobqueue", "LSFCluster", _JOBQUEUE),
    "sge": ("dask_jobqueue", "SGECluster", _JOBQUEUE),
    "htcondor": ("dask_jobqueue", "HTCondorCluster", _JOBQUEUE),
    "oar": ("dask_jobqueue", "OARCluster", _JOBQUEUE),
    "kubernetes": ("dask_kubernetes.operator", "KubeCluster", "dask-kubernetes"),
    "ec2": ("dask_cloudprovider.aws", "EC2Cluster", f"{_CLOUD}[aws]"),
    "fargate": ("dask_cloudprovider.aws", "FargateCluster", f"{_CLOUD}[aws]"),
    "azurevm": ("dask_cloudprovider.azure", "AzureVMCluster", f"{_CLOUD}[azure]"),
    "gcpvm": ("dask_cloudprovider.gcp", "GCPCluster", f"{_CLOUD}[gcp]"),
}
"""By kind: module, class, and what pip installs for it."""


def start_cluster(kind: ClusterKind, options: dict[str, Any], workers: int) -> Any:
    """Start a cluster and ask it for workers, which come when there is room. Returns Dask's object.

    Raises:
        InputError: its package is missing, an option is wrong, or it cannot be started.
    """
    cluster_class = _find(kind)
    try:
        cluster = cluster_class(**options)
    except Exception as error:  # each class has its own checks, of options, tools and credentials
        raise _refused(kind, error) from error
    try:
        cluster.scale(workers)
        _await_submission(cluster)
    except BaseException as error:  # Ctrl-C, too, must leave no jobs behind
        _give_up(cluster)
        if isinstance(error, Exception):
            raise _refused(kind, error) from error
        raise
    return cluster


def _find(kind: ClusterKind) -> Any:
    module, name, package = DEPLOYERS[kind]
    try:
        with _ctrl_c_kept():
            return getattr(import_module(module), name)
    except ImportError as error:
        raise InputError(
            f"placement.cluster.kind: `{kind}` needs a package that is not installed ({error}). "
            f'Install it with: pip install "{package}"'
        ) from error


@contextmanager
def _ctrl_c_kept() -> Iterator[None]:
    """Importing dask_jobqueue 0.9 makes Ctrl-C end the process, whoever handled it before."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


def _await_submission(cluster: Any) -> None:
    """Until jobs are submitted, not until they run: `scale` leaves that to a background task."""
    from distributed import SpecCluster

    async def submitted() -> None:
        await cluster
        for job in cluster.workers.values():
            await job  # one whose submission failed is submitted again, and now we hear why

    if isinstance(cluster, SpecCluster):
        cluster.sync(submitted)


def _give_up(cluster: Any) -> None:
    from distributed import Status

    for job in getattr(cluster, "workers", {}).values():
        if job.status is Status.created:
            job.status = Status.failed  # Dask closes no cluster with jobs that never began
    with suppress(Exception):  # the first error is the one that matters
        cluster.close()


def _refused(kind: ClusterKind, error: Exception) -> InputError:
    return InputError(
        f"placement.cluster: `{kind}` cannot be started: {type(error).__name__}: {error}. "
        f"`options` are passed to {DEPLOYERS[kind][1]} as they are; see its documentation."
    )
