"""Calls to a hub: repeated while a repetition can help, and errors in plain words.

    408 429 5xx, lost connections, timeouts     repeated; `Retry-After` is waited for
    all else                                    InputError

The client repeats uploads itself, but neither commits nor tags nor plain reads.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.errors import InputError, PrefmillError

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

MAX_TRIES = 6
MAX_WAIT_S = 3600.0
"""The quota of commits is by the hour; a hub that asks for more is not waited for."""

BACKOFF_S = 2.0
"""The first wait is up to this long, the next up to twice as long, and so on."""

_MAX_BACKOFF_S = 30.0


def patiently(call: Callable[[], T], tell: Callable[[str], None]) -> T:
    """What `call` returns, tried again while its errors may pass."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0.0
        tell(f"{_reason(error)}; trying again in {wait:.0f} s")

    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        wait=_wait_s,
        stop=stop_after_attempt(MAX_TRIES),
        before_sleep=say,
        reraise=True,
    )
    return retrying(call)


def wait_out(error: Exception, tell: Callable[[str], None]) -> None:
    """Wait as long as an error asks for that may pass; raise any other."""
    if not _may_pass(error):
        raise error
    wait = max(_asked_wait_s(error), BACKOFF_S)
    tell(f"{_reason(error)}; trying again in {wait:.0f} s")
    time.sleep(wait)


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status that an error stands for, if a server answered."""
    found = getattr(_root(error), "response", None)
    return None if found is None else int(found.status_code)


def _root(error: BaseException | None) -> BaseException | None:
    """The error behind one that an uploading thread wrapped."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _may_pass(error: BaseException) -> bool:
    from huggingface_hub.utils import httpx

    status = status_of(error)
    if status is not None:
        is_passing = status in (408, 429) or status >= 500
        return is_passing and _asked_wait_s(error) <= MAX_WAIT_S
    lost = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
    return isinstance(_root(error), lost)


def _wait_s(state: RetryCallState) -> float:
    from tenacity import wait_random_exponential

    backoff = wait_random_exponential(multiplier=BACKOFF_S, max=_MAX_BACKOFF_S)
    error = state.outcome.exception() if state.outcome else None
    return max(float(backoff(state)), _asked_wait_s(error))


def _asked_wait_s(error: BaseException | None) -> float:
    """How long the server wants to be left alone."""
    from huggingface_hub.utils import parse_ratelimit_headers

    headers: Mapping[str, str] = getattr(getattr(_root(error), "response", None), "headers", {})
    limit: Any = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    return _seconds(headers.get("Retry-After", "").strip())


def _seconds(text: str) -> float:
    """A Retry-After: seconds, or a date."""
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


@contextmanager
def in_words(repo_id: str) -> Iterator[None]:
    """Errors of a hub's client, and of what it uses, as InputError without a secret in it."""
    from huggingface_hub.utils import httpx

    try:
        yield
    except PrefmillError:
        raise
    except (httpx.HTTPError, OSError, ValueError, RuntimeError) as error:
        raise InputError(without_secrets(f"{repo_id}: {_words(error)}")) from None


def without_secrets(text: str) -> str:
    """A text without the token that is in use, or anything that looks like one."""
    from huggingface_hub import get_token

    token = None
    with suppress(Exception):  # a token that cannot be had was not used either
        token = get_token()
    known = text.replace(token, "(token)") if token else text
    return re.sub(r"\bhf_\w{8,}", "(token)", known)


def _words(error: BaseException) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import httpx

    status = status_of(error)
    where = constants.ENDPOINT
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so no hub can be asked. Unset it."
    if isinstance(error, RevisionNotFoundError):
        return "no such revision. Its branches and tags are under `Files and versions` on its page."
    if isinstance(error, GatedRepoError):
        return "access must be asked for on its page first."
    if isinstance(error, LocalTokenNotFoundError) or (status == 401 and _is_bad_token(error)):
        return (
            f"{where} does not accept the token. Set HF_TOKEN to one that is valid, or log in with "
            "`hf auth login`."
        )
    if isinstance(error, RepositoryNotFoundError):
        return f"{where} has no such dataset, or it is private and the token may not read it."
    if status == 403:
        return (
            "the token may not do this. It needs the right to write, and to this name: "
            f"{_refusal(error)}"
        )
    if isinstance(_root(error), httpx.TransportError):
        return f"{where} cannot be reached: {_reason(error)}. Run the same command again later."
    return f"{_reason(error)}. Nothing is half-published; the same command goes on from here."


def _is_bad_token(error: BaseException) -> bool:
    return "credentials" in str(error) or "username or password" in str(error)


def _refusal(error: BaseException) -> str:
    return str(getattr(error, "server_message", None) or "the hub gives no reason").strip() + "."


def _reason(error: BaseException | None) -> str:
    root = _root(error)
    status = status_of(root)
    if status is None:
        return f"{type(root).__name__}: {str(root).strip()}".rstrip(": ")
    said = str(getattr(root, "server_message", None) or "").strip()
    wait = f", and asks to wait {asked:.0f} s" if (asked := _asked_wait_s(error)) else ""
    return f"the hub answers {status}" + (f" ({said})" if said else "") + wait
