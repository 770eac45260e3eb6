"""The endpoints of the hub on loopback: requests into changes of the store, and back."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import web

from tests.hub_store import Blob, Commit, Repo

if TYPE_CHECKING:
    from tests.hub_server import Hub

_DATASET = "/api/datasets/{ns}/{name}"
_WRITING = ("create", "branch", "preupload", "batch", "commit", "tag")


class Refused(Exception):
    """An answer that is an error, as the Hub words it."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        self.status, self.message, self.code = status, message, code

    def answer(self) -> web.Response:
        headers = {"X-Error-Message": self.message}
        if self.code:
            headers["X-Error-Code"] = self.code
        return web.json_response({"error": self.message}, status=self.status, headers=headers)


def routes(hub: Hub) -> list[web.RouteDef]:
    """All endpoints; each handler has the name of its call."""
    calls = _Calls(hub)
    table = [
        ("POST", "/api/repos/create", calls.create),
        ("GET", "/api/whoami-v2", calls.whoami),
        ("POST", "/api/validate-yaml", calls.yaml),
        ("POST", f"{_DATASET}/branch/{{rev}}", calls.branch),
        ("POST", f"{_DATASET}/preupload/{{rev}}", calls.preupload),
        ("POST", f"{_DATASET}/commit/{{rev}}", calls.commit),
        ("POST", f"{_DATASET}/tag/{{rev}}", calls.tag),
        ("GET", f"{_DATASET}/refs", calls.refs),
        ("GET", f"{_DATASET}/revision/{{rev}}", calls.info),
        ("GET", f"{_DATASET}/tree/{{rev}}", calls.tree),
        ("GET", f"{_DATASET}/tree/{{rev}}/{{path:.*}}", calls.tree),
        ("POST", f"{_DATASET}/paths-info/{{rev}}", calls.paths),
        ("GET", _DATASET, calls.info),
        ("POST", "/datasets/{ns}/{name}.git/info/lfs/objects/batch", calls.batch),
        ("POST", "/lfs/verify", calls.verify),
        ("PUT", "/lfs/{oid}", calls.upload),
        ("*", "/datasets/{ns}/{name}/resolve/{rev}/{path:.*}", calls.resolve),
    ]
    return [web.route(method, path, _named(handler)) for method, path, handler in table]


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _named(method: _Handler) -> _Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await method(request)

    handler.call = method.__name__  # type: ignore[attr-defined]  # read by the faults
    return handler


class _Calls:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def _user(self, request: web.Request, namespace: str = "", *, writes: bool = False) -> bool:
        """Whether a person asks. Raises Refused for wrong tokens and for other people's repos."""
        given = request.headers.get("Authorization", "")
        if given and given != f"Bearer {self.hub.token}":
            raise Refused(401, "Invalid credentials in Authorization header")
        if writes and not given:
            raise Refused(401, "Invalid username or password.")
        if writes and namespace not in self.hub.writable:
            raise Refused(403, f"You don't have the rights to write to {namespace}")
        return bool(given)

    def _repo(self, request: web.Request, *, writes: bool = False) -> Repo:
        namespace = request.match_info["ns"]
        known = self._user(request)
        repo = self.hub.repos.get(f"{namespace}/{request.match_info['name']}")
        if repo is None or (repo.private and not known):
            raise Refused(404 if known else 401, "Repository not found", "RepoNotFound")
        self._user(request, namespace, writes=writes)
        return repo

    def _commit(self, request: web.Request, repo: Repo) -> Commit:
        revision = request.match_info.get("rev", "main")
        commit = repo.find(revision)
        if commit is None:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    async def create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        namespace = asked.get("organization") or "me"
        self._user(request, namespace, writes=True)
        name = f"{namespace}/{asked['name']}"
        url = f"{self.hub.url}/datasets/{name}"
        if name in self.hub.repos:  # with its address, which the client takes from this answer too
            told = {"error": "You already created this dataset repo", "url": url}
            return web.json_response(told, status=409)
        self.hub.repos[name] = Repo(name, asked.get("visibility") == "private")
        return web.json_response({"url": url, "name": name})

    async def whoami(self, request: web.Request) -> web.Response:
        if not self._user(request):
            raise Refused(401, "Invalid username or password.")
        return web.json_response({"name": "me", "type": "user", "orgs": [{"name": "org"}]})

    async def yaml(self, request: web.Request) -> web.Response:
        text = (await request.json())["content"]
        try:
            yaml.safe_load(text.split("---")[1] if text.startswith("---") else "")
        except yaml.YAMLError as error:
            errors = [{"message": str(error)}]
            return web.json_response({"errors": errors, "warnings": []}, status=400)
        return web.json_response({"errors": [], "warnings": []})

    async def branch(self, request: web.Request) -> web.Response:
        repo, name = self._repo(request, writes=True), request.match_info["rev"]
        if name in repo.branches:
            raise Refused(409, f"Reference already exists: {name}")
        start = repo.find((await request.json()).get("startingPoint", "main"))
        if start is None:
            raise Refused(404, "Invalid rev id", "RevisionNotFound")
        repo.branches[name] = start.id
        return web.Response()

    async def tag(self, request: web.Request) -> web.Response:
        repo, name = self._repo(request, writes=True), (await request.json())["tag"]
        commit = self._commit(request, repo)
        if name in repo.tags:
            raise Refused(409, f"Tag reference exists already: {name}")
        repo.tags[name] = commit.id
        return web.Response()

    async def refs(self, request: web.Request) -> web.Response:
        repo = self._repo(request)

        def listed(names: dict[str, str], prefix: str) -> list[dict[str, str]]:
            return [{"name": n, "ref": prefix + n, "targetCommit": c} for n, c in names.items()]

        return web.json_response(
            {
                "branches": listed(repo.branches, "refs/heads/"),
                "tags": listed(repo.tags, "refs/tags/"),
                "converts": [],
                "pullRequests": listed(repo.pulls, ""),
            }
        )

    async def info(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        commit = self._commit(request, repo)
        files = [{"rfilename": path, **_listed(path, b)} for path, b in commit.files.items()]
        keep = (
            ("rfilename", "size", "blobId", "lfs") if "blobs" in request.query else ("rfilename",)
        )
        return web.json_response(
            {
                "id": repo.name,
                "author": repo.name.split("/")[0],
                "sha": commit.id,
                "private": repo.private,
                "gated": False,
                "disabled": False,
                "tags": [],
                "siblings": [{key: each[key] for key in keep if key in each} for each in files],
            }
        )

    async def tree(self, request: web.Request) -> web.Response:
        commit = self._commit(request, self._repo(request))
        root = request.match_info.get("path", "")
        below = {p: b for p, b in commit.files.items() if not root or p.startswith(f"{root}/")}
        if root and not below:
            raise Refused(404, f"{root} does not exist", "EntryNotFound")
        is_recursive = request.query.get("recursive", "").lower() == "true"
        entries = _folders(below, root) + [_listed(p, b) for p, b in sorted(below.items())]
        depth = root.count("/") + 1 if root else 0
        return web.json_response(
            [e for e in entries if is_recursive or e["path"].count("/") == depth]
        )

    async def paths(self, request: web.Request) -> web.Response:
        commit = self._commit(request, self._repo(request))
        asked = (await request.post()).getall("paths", [])
        folders = {each["path"]: each for each in _folders(commit.files, "")}
        found = [_listed(p, commit.files[p]) for p in map(str, asked) if p in commit.files]
        return web.json_response(found + [folders[p] for p in map(str, asked) if p in folders])

    async def preupload(self, request: web.Request) -> web.Response:
        repo = self._repo(request, writes=True)
        files = self._commit(request, repo).files
        patterns = files[".gitignore"].content.decode().split() if ".gitignore" in files else []
        answer = []
        for asked in (await request.json())["files"]:
            path = asked["path"]
            mode = "lfs" if path.endswith(".parquet") else "regular"
            oid = files[path].oid if path in files else None
            is_ignored = any(fnmatch(path, pattern) for pattern in patterns)
            facts = {"path": path, "uploadMode": mode, "shouldIgnore": is_ignored, "oid": oid}
            answer.append(facts)
        return web.json_response({"files": answer})

    async def batch(self, request: web.Request) -> web.Response:
        self._repo(request, writes=True)
        objects = []
        for asked in (await request.json())["objects"]:
            plain = {"oid": asked["oid"], "size": asked["size"]}
            actions = {
                "upload": {"href": f"{self.hub.url}/lfs/{asked['oid']}"},
                "verify": {"href": f"{self.hub.url}/lfs/verify"},
            }
            objects.append(
                plain if asked["oid"] in self.hub.blobs else {**plain, "actions": actions}
            )
        return web.json_response({"transfer": "basic", "objects": objects})

    async def upload(self, request: web.Request) -> web.Response:
        content, oid = await request.read(), request.match_info["oid"]
        if hashlib.sha256(content).hexdigest() != oid:
            raise Refused(400, "checksum does not match")
        self.hub.blobs[oid] = content
        self.hub.uploads.append(oid)
        return web.Response()

    async def verify(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if len(self.hub.blobs.get(asked["oid"], b"")) != asked["size"]:
            raise Refused(404, "object is not there")
        return web.Response()

    async def commit(self, request: web.Request) -> web.Response:
        repo = self._repo(request, writes=True)
        parent, revision = self._commit(request, repo), request.match_info["rev"]
        header, *operations = map(json.loads, (await request.text()).splitlines())
        asked = header["value"]
        if asked.get("parentCommit", parent.id) != parent.id:
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        if revision not in repo.branches and revision not in repo.pulls:
            raise Refused(400, f"{revision} is no branch")
        files = dict(parent.files)
        for operation in operations:
            self._apply(files, operation["key"], operation["value"])
        commit = repo.add(parent.id, asked["summary"], files)
        url = f"{self.hub.url}/datasets/{repo.name}"
        answer: dict[str, Any] = {"success": True, "commitOid": commit.id}
        if "create_pr" in request.query:
            number = len(repo.pulls) + 1
            repo.pulls[f"refs/pr/{number}"] = commit.id
            answer["pullRequestUrl"] = f"{url}/discussions/{number}"
        else:
            (repo.branches if revision in repo.branches else repo.pulls)[revision] = commit.id
        return web.json_response({**answer, "commitUrl": f"{url}/commit/{commit.id}"})

    def _apply(self, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
        path = value["path"]
        if key == "file":
            files[path] = Blob(base64.b64decode(value["content"]), False)
        elif key == "lfsFile":
            if value["oid"] not in self.hub.blobs:
                raise Refused(422, f"LFS object of {path} was never uploaded")
            files[path] = Blob(self.hub.blobs[value["oid"]], True)
        elif key == "deletedFile" and files.pop(path, None) is None:
            raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")

    async def resolve(self, request: web.Request) -> web.Response:
        commit = self._commit(request, self._repo(request))
        blob = commit.files.get(request.match_info["path"])
        if blob is None:
            raise Refused(404, "Entry not found", "EntryNotFound")
        headers = {
            "ETag": f'"{blob.oid}"',
            "X-Repo-Commit": commit.id,
            "X-Linked-Size": str(len(blob.content)),
            "X-Linked-ETag": f'"{blob.oid}"',
            "Accept-Ranges": "bytes",
        }
        part = request.http_range
        if part.start is None and part.stop is None:
            return web.Response(body=blob.content, headers=headers)
        start, stop, _ = part.indices(len(blob.content))
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(blob.content)}"
        return web.Response(status=206, body=blob.content[start:stop], headers=headers)


def _listed(path: str, blob: Blob) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file",
        "path": path,
        "size": len(blob.content),
        "oid": blob.git_oid,
        "blobId": blob.git_oid,
    }
    if blob.is_lfs:
        held = {"oid": blob.sha256, "sha256": blob.sha256, "size": len(blob.content)}
        entry["lfs"] = {**held, "pointerSize": 130}
    return entry


def _folders(files: dict[str, Blob], root: str) -> list[dict[str, Any]]:
    found = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    return [
        {"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest()}
        for path in sorted(found - {".", root})
        if not root or path.startswith(f"{root}/")
    ]
