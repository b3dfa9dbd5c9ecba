"""The WSGI entry for granian."""

from __future__ import annotations

import os
import sys

from django.core.wsgi import get_wsgi_application

from circuitos.env import BadEnvironment, env, refuse_insecure

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")
try:
    refuse_insecure(env())
except BadEnvironment as error:
    sys.exit(str(error))

application = get_wsgi_application()
