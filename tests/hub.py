"""A small Hugging Face Hub on 127.0.0.1: the routes that clients use, with faults on demand.

It keeps datasets and models in memory: commits of files, branches, tags, and large files by
their SHA-256.
Clients must run in processes of their own, since HF_ENDPOINT is read when they are imported:
`LocalHub.environment()` has what they need.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.hub_store import Blob, Fault, Repo

WRITE: Final = "hf_writeTokenThatMustStaySecret"
READ: Final = "hf_readTokenThatMustStaySecret"
_ROUTES: list[tuple[str, re.Pattern[str], str]] = []


class LocalHub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.extra: dict[str, str] = {}  # for the environment of clients
        self.lock = threading.RLock()

    def __enter__(self) -> LocalHub:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""

    def environment(self, home: Path, token: str | None = WRITE) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        mine = {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        return kept | mine | self.extra | ({"HF_TOKEN": token} if token else {})

    def sent(self, pattern: str) -> list[str]:
        return [line for line in self.requests if re.search(pattern, line)]


def route(method: str, pattern: str) -> Callable[[Any], Any]:
    expanded = pattern.replace("{id}", "(?P<id>[^/]+/[^/]+?)").replace("{rev}", "(?P<rev>[^/]+)")

    def register(function: Any) -> Any:
        _ROUTES.append((method, re.compile(expanded), function.__name__))
        return function

    return register


class Handler(BaseHTTPRequestHandler):
    server: LocalHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        line = f"{self.command} {parts.path}"
        with self.server.lock:
            self.server.requests.append(line)
            fault = next((f for f in self.server.faults if f.strikes(line)), None)
        self.fault = fault
        if fault and fault.status is None and not fault.answer:
            self.rfile.read(min(fault.after, int(self.headers.get("Content-Length", 1)) - 1))
            if fault.hook:
                fault.hook()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.body = b"".join(self._read())
        if fault and fault.hook:
            fault.hook()
        if fault and fault.status and not fault.late:
            self._json({"error": "a fault"}, fault.status, fault.headers)
            return
        method = "GET" if self.command == "HEAD" else self.command
        for wanted, pattern, name in _ROUTES:
            if wanted == method and (match := pattern.fullmatch(parts.path)):
                with self.server.lock:
                    getattr(self, name)(**{k: unquote(v) for k, v in match.groupdict("").items()})
                return
        self._json({"error": "no such route"}, 404)

    do_GET = do_HEAD = do_POST = do_PUT = _handle

    def _read(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        sent = {"Content-Type": "application/json"} | (headers or {})
        self._send(json.dumps(value).encode(), status, sent)

    def _send(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        if self.fault and self.fault.late and self.fault.status:
            status = self.fault.status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: self.fault.after] if self.fault and self.fault.answer else data)
        if self.fault and self.fault.answer:
            self.close_connection = True

    def _error(self, status: int, code: str = "", message: str = "") -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        self._json({"error": message or code}, status, {k: v for k, v in headers.items() if v})

    def _may(self, *, write: bool = False) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given not in ("", WRITE, READ):
            self._error(401, message="Invalid credentials in Authorization header")
        elif write and given != WRITE:
            self._error(403 if given else 401, message="You may not write here")
        else:
            return True
        return False

    def _repo(self, id: str, *, write: bool = False) -> Repo | None:
        if not self._may(write=write):
            return None
        repo = self.server.repos.get(id)
        known = "Authorization" in self.headers
        if repo is None or (repo.private and not known):
            self._error(404 if known else 401, "RepoNotFound", "Repository not found")
            return None
        return repo

    def _files(self, id: str, rev: str) -> tuple[str, dict[str, Blob]] | None:
        if (repo := self._repo(id)) is None:
            return None
        if (sha := repo.resolve(rev)) is None:
            self._error(404, "RevisionNotFound", "Invalid rev id")
            return None
        return sha, repo.commits[sha]

    @route("POST", "/api/repos/create")
    def _create(self) -> None:
        if self._may(write=True):
            asked = json.loads(self.body)
            id = f"{asked['organization']}/{asked['name']}"
            url = {"url": f"{self.server.endpoint}/datasets/{id}"}
            if id in self.server.repos:
                return self._json(url | {"error": "You already created this dataset repo"}, 409)
            repo = self.server.repos[id] = Repo(asked.get("visibility") == "private")
            repo.commit("main", {".gitattributes": Blob(b"*.parquet filter=lfs\n", lfs=False)})
            self._json(url)
        return None

    @route("POST", "/api/validate-yaml")
    def _validate(self) -> None:
        bad = "licence: 1" in json.loads(self.body)["content"]
        said = '"licence" is not a key'
        if bad and self.headers.get("Accept") == "text/plain":
            return self._send(said.encode(), 400, {})
        errors = [{"message": said}] if bad else []
        return self._json({"errors": errors, "warnings": []}, 400 if bad else 200)

    @route("GET", "/api/(?:datasets|models)/{id}(?:/revision/{rev})?")
    def _info(self, id: str, rev: str) -> None:
        if found := self._files(id, rev or "main"):
            siblings = [{"rfilename": path} for path in found[1]]
            private = self.server.repos[id].private
            self._json({"id": id, "sha": found[0], "private": private, "siblings": siblings})

    @route("GET", "/api/(?:datasets|models)/{id}/refs")
    def _refs(self, id: str) -> None:
        if repo := self._repo(id):
            kinds = {"branches": ("heads", repo.branches), "tags": ("tags", repo.tags)}
            refs = {
                kind: [
                    {"name": name, "ref": f"refs/{path}/{name}", "targetCommit": sha}
                    for name, sha in held.items()
                ]
                for kind, (path, held) in kinds.items()
            }
            self._json(refs | {"converts": []})

    @route("POST", "/api/datasets/{id}/(?P<kind>branch|tag)/{rev}")
    def _ref(self, id: str, kind: str, rev: str) -> None:
        if repo := self._repo(id, write=True):
            asked = json.loads(self.body)
            held, name = (repo.tags, asked["tag"]) if kind == "tag" else (repo.branches, rev)
            if name in held:
                return self._error(409, message="Reference already exists")
            held[name] = repo.resolve(rev) or repo.branches["main"]
            self._json({})
        return None

    @route("GET", "/api/(?:datasets|models)/{id}/tree/{rev}(?:/(?P<path>.*))?")
    def _tree(self, id: str, rev: str, path: str) -> None:
        if found := self._files(id, rev):
            prefix = f"{path}/" if path else ""
            inside = {name: blob for name, blob in found[1].items() if name.startswith(prefix)}
            deep = self.query.get("recursive", ["false"])[0].lower() == "true"
            shown = {n: b for n, b in inside.items() if deep or "/" not in n[len(prefix) :]}
            folders = {
                prefix + n[len(prefix) :].split("/")[0] for n in inside.keys() - shown.keys()
            }
            if path and not inside:
                return self._error(404, "EntryNotFound", "No such folder")
            entries = [
                {"type": "directory", "path": n, "oid": "0" * 40, "size": 0} for n in folders
            ]
            self._json(entries + [blob.entry(name) for name, blob in shown.items()])
        return None

    @route("POST", "/api/datasets/{id}/paths-info/{rev}")
    def _paths(self, id: str, rev: str) -> None:
        if found := self._files(id, rev):
            files = found[1]
            entries = []
            for path in parse_qs(self.body.decode()).get("paths", []):
                if path in files:
                    entries.append(files[path].entry(path))
                elif any(name.startswith(f"{path}/") for name in files):
                    entries.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
            self._json(entries)

    @route("POST", "/api/datasets/{id}/preupload/{rev}")
    def _preupload(self, id: str, rev: str) -> None:
        if self._repo(id, write=True) and (found := self._files(id, rev)):
            told = []
            for file in json.loads(self.body)["files"]:
                path, there = file["path"], found[1].get(file["path"])
                oid = None if there is None else there.sha256 if there.lfs else there.oid
                mode = "lfs" if path.endswith(".parquet") else "regular"
                told.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
            self._json({"files": told})

    @route("POST", "/datasets/{id}.git/info/lfs/objects/batch")
    def _batch(self, id: str) -> None:
        if self._repo(id, write=True):
            objects = json.loads(self.body)["objects"]
            for item in objects:
                if item["oid"] not in self.server.large:
                    href = f"{self.server.endpoint}/lfs/{item['oid']}"
                    item["actions"] = {"upload": {"href": href}}
            self._json({"transfer": "basic", "objects": objects})

    @route("PUT", "/lfs/(?P<oid>[0-9a-f]{64})")
    def _put(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self._error(400, message="The checksum differs")
        self.server.large[oid] = self.body
        return self._send(b"", 200, {})

    @route("POST", "/api/datasets/{id}/commit/{rev}")
    def _commit(self, id: str, rev: str) -> None:
        if (repo := self._repo(id, write=True)) is None or (found := self._files(id, rev)) is None:
            return None
        files = dict(found[1])
        for item in (json.loads(line) for line in self.body.splitlines()):
            value = item["value"]
            if item["key"] == "header" and value.get("parentCommit", found[0]) != found[0]:
                return self._error(412, message="A commit has happened since")
            if item["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), lfs=False)
            elif item["key"] == "lfsFile" and value["oid"] not in self.server.large:
                return self._error(400, message=f"{value['path']}: its content was not sent")
            elif item["key"] == "lfsFile":
                files[value["path"]] = Blob(self.server.large[value["oid"]], lfs=True)
            elif item["key"] == "deletedFile" and files.pop(value["path"], None) is None:
                return self._error(404, "EntryNotFound", "A file of this name doesn't exist")
        sha = repo.commit(rev, files)
        url = f"{self.server.endpoint}/datasets/{id}/commit/{sha}"
        return self._json({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    @route("GET", "(?:/datasets)?/{id}/resolve/{rev}/(?P<path>.+)")
    def _resolve(self, id: str, rev: str, path: str) -> None:
        if (found := self._files(id, rev)) is None:
            return None
        if (blob := found[1].get(path)) is None:
            return self._error(404, "EntryNotFound", "Entry not found")
        etag = blob.sha256 if blob.lfs else blob.oid
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": found[0], "Accept-Ranges": "bytes"}
        headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(path)}"
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            size = len(blob.data)
            start, stop = int(asked[1]), min(int(asked[2] or size - 1) + 1, size)
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
            return self._send(blob.data[start:stop], 206, headers)
        return self._send(blob.data, 200, headers)
