"""Loopback doubles of providers' APIs that count requests: HubSpot's batch endpoints and the census."""

from __future__ import annotations

import itertools
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from werkzeug import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_httpserver import HTTPServer

TOKEN = "pat-na1-for-tests"


class HubSpot:
    """Answers batch/update, batch/create and batch/archive as HubSpot does, and keeps what it was told."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.requests: list[tuple[str, list[dict[str, Any]]]] = []  # path, inputs
        self.records: dict[str, dict[str, str]] = {}  # by id
        self.unknown: set[str] = set()  # ids it does not know: 207 with an error each
        self.invalid: set[str] = set()  # ids for which it refuses the whole request
        self.missing_properties: set[str] = set()
        # Answers to give instead, first ones first; a callable may also wait.
        self.instead: list[Response | Callable[[], Response]] = []
        self._ids = itertools.count(900_001)
        self._lock = threading.Lock()
        for obj in ("contacts", "deals", "tasks"):
            for verb in ("update", "create", "archive"):
                path = f"/crm/v3/objects/{obj}/batch/{verb}"
                server.expect_request(path, method="POST").respond_with_handler(self._answer)

    def paths(self) -> list[str]:
        """The requests so far, as ``contacts/update``."""
        return [path.removeprefix("/crm/v3/objects/").replace("batch/", "") for path, _ in self.requests]

    def _answer(self, request: Request) -> Response:
        with self._lock:
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return _json(401, {"status": "error", "message": "Authentication credentials not found."})
            inputs = json.loads(request.data)["inputs"]
            self.requests.append((request.path, inputs))
            if self.instead:
                answer = self.instead.pop(0)
                return answer if isinstance(answer, Response) else answer()
            assert 1 <= len(inputs) <= 100
            return self._do(request.path.rpartition("/")[2], inputs)

    def _do(self, verb: str, inputs: list[dict[str, Any]]) -> Response:
        asked = {name for given in inputs for name in given.get("properties", ())}
        if missing := asked & self.missing_properties:
            errors = [
                {
                    "message": f'Property "{name}" does not exist',
                    "code": "PROPERTY_DOESNT_EXIST",
                    "context": {"propertyName": [name]},
                }
                for name in sorted(missing)
            ]
            return _json(
                400,
                {
                    "status": "error",
                    "message": "Property values were not valid",
                    "errors": errors,
                    "category": "VALIDATION_ERROR",
                },
            )
        if self.invalid & {given.get("id") for given in inputs}:
            return _json(
                400, {"status": "error", "message": "Email is invalid.", "category": "VALIDATION_ERROR"}
            )
        if verb == "archive":
            for given in inputs:
                self.records.pop(given["id"], None)
            return Response(status=204)
        results, errors = [], []
        for given in inputs:
            if given.get("id") in self.unknown:
                errors.append(
                    {
                        "status": "error",
                        "category": "OBJECT_NOT_FOUND",
                        "message": "Could not get some CONTACT objects, they may be deleted or not exist.",
                        "context": {"ids": [given["id"]]},
                    }
                )
                continue
            theirs = given.get("id") or str(next(self._ids))
            self.records.setdefault(theirs, {}).update(given["properties"])
            result = {"id": theirs, "properties": self.records[theirs]}
            if "objectWriteTraceId" in given:
                result["objectWriteTraceId"] = given["objectWriteTraceId"]
            results.append(result)
        results.reverse()  # it promises no order
        if errors:
            return _json(
                207, {"status": "COMPLETE", "results": results, "numErrors": len(errors), "errors": errors}
            )
        return _json(201 if verb == "create" else 200, {"status": "COMPLETE", "results": results})


class Census:
    """Answers the ACS 5-year API for every ZIP code it is asked for."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/data/2023/acs/acs5")
        self.asked: list[list[str]] = []  # ZIP codes, by request
        server.expect_request("/data/2023/acs/acs5", method="GET").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        codes = unquote(request.args["for"]).rpartition(":")[2].split(",")
        self.asked.append(codes)
        area = "zip code tabulation area"
        header = ["NAME", "B19013_001E", "B01003_001E", "B01002_001E", area]
        return _json(200, [header, *[[f"ZCTA5 {code}", "118233", "31000", "38.2", code] for code in codes]])


def _json(status: int, document: Any) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json")
