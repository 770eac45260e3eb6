"""Publish to a folder here or at a URL: shards first, the manifest next, stale files out last.

Whoever reads finds a manifest all of whose files are there. While a push is under way, and after
one that did not end, a file says so; the next push then takes no file there for whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pipeline.dataset.read import CARD, FORMAT, MANIFEST, is_ours
from pipeline.hub.changes import (
    Change,
    Held,
    Remote,
    card_text,
    changes_between,
    json_object,
    refuse_to_overwrite,
    with_card,
)
from pipeline.hub.contents import Contents, digest_of, read_source
from pipeline.hub.outcome import Pushed, PushOptions
from pipeline.hub.store import Store

UNFINISHED = ".prefmill-unfinished"
_THREADS = 8
_KIND = "blake2b"


def push_to_store(
    contents: Contents, url: str, options: PushOptions, tell: Callable[[str], None]
) -> Pushed:
    """Publish to a folder, which is made if it is not there. See `push_dataset`."""
    store = Store(url)
    remote = _read(store)
    refuse_to_overwrite(str(store), contents, remote, adopt=options.adopt)
    ready = with_card(str(store), contents, remote, needs_license=options.needs_license, tell=tell)
    changes = changes_between(ready, remote)
    if changes and not options.dry_run:
        tell(f"{store}: writing {sum(each.source is not None for each in changes)} files")
        _write(store, ready, remote, changes)
    return Pushed(None, None, bool(changes), tuple(changes))


def _read(store: Store) -> Remote:
    sizes = store.sizes()
    if sizes.pop(UNFINISHED, None) is not None:
        notice = json_object(store.read(UNFINISHED))
        return _remote(store, {path: Held(size) for path, size in sizes.items()}, notice)
    manifest = json_object(store.read(MANIFEST)) if MANIFEST in sizes else None
    listed = manifest.get("files", {}) if manifest is not None and is_ours(manifest) else {}
    files = {
        path: Held(size, listed[path]["blake2b_128"], _KIND) if path in listed else Held(size)
        for path, size in sizes.items()
    }
    for path in {MANIFEST, CARD} & sizes.keys():
        files[path] = Held(sizes[path], digest_of(store.read(path), _KIND), _KIND)
    return _remote(store, files, manifest)


def _remote(store: Store, files: dict[str, Held], manifest: dict[str, Any] | None) -> Remote:
    card = card_text(str(store), store.read(CARD)) if CARD in files else None
    return Remote(None, files, manifest, card)


def _write(store: Store, ready: Contents, remote: Remote, changes: list[Change]) -> None:
    store.put(UNFINISHED, _notice(ready, remote))
    writes = {each.path: each.source for each in changes if each.source is not None}
    manifest = writes.pop(MANIFEST, None)
    with ThreadPoolExecutor(_THREADS) as pool:
        for done in [pool.submit(store.put, path, source) for path, source in writes.items()]:
            done.result()
    if manifest is not None:
        store.put(MANIFEST, manifest)
    for change in changes:
        if change.source is None:
            store.delete(change.path)
    store.delete(UNFINISHED)


def _notice(ready: Contents, remote: Remote) -> bytes:
    """A manifest of what was there and what comes, so that the next push knows whose it all is."""
    known: Mapping[str, Any] = (remote.manifest or {}).get("files", {}) if remote.is_ours else {}
    coming = json.loads(read_source(ready.files[MANIFEST]))["files"]
    notice = {"format": FORMAT, "release": ready.release, "files": {**known, **coming}}
    return json.dumps(notice, indent=2, sort_keys=True).encode()
