"""The Celery app of web and worker: it carries bells and rounds, nothing true."""

from __future__ import annotations

import gc
import os
import sys

from celery import Celery, signals

from circuitos.env import BadEnvironment, env, refuse_insecure
from governor.jail.process import CALM

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")

app = Celery("circuitos")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    # A worker outlives its broker: it tries to reach it again for as long as it takes.
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_enable_remote_control=False,
)
app.autodiscover_tasks()


@signals.worker_init.connect
def _share_memory(**_: object) -> None:
    # What stands now is the children's as well; a collector that never touches it leaves it shared.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*CALM)


@signals.worker_init.connect
def _refuse_insecure(**_: object) -> None:
    try:
        refuse_insecure(env())
    except BadEnvironment as error:
        # Celery swallows what a receiver raises, but for this.
        sys.exit(str(error))
