"""Whether a worker reaches the work folder: the one that we see, not one of the same name."""

from __future__ import annotations

import os
import socket
from uuid import uuid4

from pipeline.folders import Folder
from schemas.errors import InputError

_MARK = "mark"


def leave_mark(work: Folder) -> str:
    """Leave a mark in the work folder that `probe_folder` must find; returns it."""
    mark = uuid4().hex
    work.write(_MARK, [mark.encode()])
    return mark


def probe_folder(work: Folder, mark: str) -> None:
    """Read the mark, then write and delete a file.

    Raises:
        InputError: the folder is not there, is another one, or cannot be written.
    """
    here = f"{socket.gethostname()}, process {os.getpid()}"
    try:
        found = bytes(work.read(_MARK)).decode(errors="replace")
        if found != mark:
            raise InputError(f"another folder is at {work.url} on {here}. {_ADVICE}")
        name = f"probe-{uuid4().hex}"
        work.write(name, [b""])
        work.delete([name])
    except FileNotFoundError:
        raise InputError(f"{work.url} is not the same folder on {here}. {_ADVICE}") from None
    except InputError:
        raise
    except Exception as error:  # every kind of file system has errors of its own
        raise InputError(
            f"{work.url} cannot be used on {here}: {type(error).__name__}: {error}. {_ADVICE}"
        ) from error


_ADVICE = (
    "Set placement.work to a folder that this machine and all workers share: a mounted one, or a "
    "URL such as s3://bucket/run."
)
