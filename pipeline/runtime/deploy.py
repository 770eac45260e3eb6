"""Dask's own deployers: batch systems, Kubernetes and clouds, each imported when it is asked for.

The batch systems were tried against stand-ins for their commands; see `tests/faults`.
"""

from __future__ import annotations

from contextlib import suppress
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
    except BaseException as error:
        with suppress(Exception):  # the first error is the one that matters
            cluster.close()
        if not isinstance(error, Exception):
            raise
        raise _refused(kind, error) from error
    return cluster


def _find(kind: ClusterKind) -> Any:
    module, name, package = DEPLOYERS[kind]
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        raise InputError(
            f"placement.cluster.kind: `{kind}` needs a package that is not installed ({error}). "
            f'Install it with: pip install "{package}"'
        ) from error


def _await_submission(cluster: Any) -> None:
    """Until jobs are submitted, not until they run: `scale` leaves that to a background task."""
    from distributed import SpecCluster

    async def submitted() -> None:
        await cluster
        for job in cluster.workers.values():
            await job  # one whose submission failed is submitted again, and now we hear why

    if isinstance(cluster, SpecCluster):
        cluster.sync(submitted)


def _refused(kind: ClusterKind, error: Exception) -> InputError:
    return InputError(
        f"placement.cluster: `{kind}` cannot be started: {type(error).__name__}: {error}. "
        f"`options` are passed to {DEPLOYERS[kind][1]} as they are; see its documentation."
    )
