"""The Django app."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from django.apps import AppConfig

from governor.jail import process


class GovernorConfig(AppConfig):
    name = "governor"
    verbose_name = "Governor"

    def ready(self) -> None:
        """Web, worker and beat hold secrets: a plain user's other processes, runners too, may not look in.

        For root nothing is to do: runners have dropped the capabilities it would take.
        """
        if sys.platform == "linux" and os.geteuid() != 0:
            with suppress(process.JailUnavailable):
                process.hide()
