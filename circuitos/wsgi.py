"""The WSGI entry for granian."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import django
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse

from circuitos.env import BadEnvironment, env, refuse_insecure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")


class Handler(WSGIHandler):
    """Django's handler; a webhook skips the signals that open and close what a webhook never uses."""

    def __call__(  # type: ignore[override]  # it says a response, WSGI says its bytes
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        # A webhook leaves Django's connections and caches alone, so nobody need look after them: that is a
        # tenth of its cost.
        if not environ["PATH_INFO"].startswith("/hooks/"):
            return super().__call__(environ, start_response)
        response = self.get_response(self.request_class(environ))
        assert isinstance(response, HttpResponse)
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]


try:
    refuse_insecure(env())
except BadEnvironment as error:
    sys.exit(str(error))
django.setup(set_prefix=False)
application = Handler()
