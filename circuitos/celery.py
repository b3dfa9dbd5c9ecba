"""The Celery app: it carries bells and the beat's static schedule, nothing true."""

from __future__ import annotations

import os
import sys

from celery import Celery, signals

from circuitos.env import BadEnvironment, env, refuse_insecure

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")

app = Celery("circuitos")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    # A worker outlives its broker: it tries to reach it again for as long as it takes.
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_enable_remote_control=False,
    # In memory: nothing to lose, and two beats ring twice, which costs nothing.
    beat_scheduler="celery.beat:Scheduler",
    beat_max_loop_interval=5,
)


def _every(task: str, seconds: float) -> dict[str, object]:
    # While no worker listens, rounds must not pile up.
    return {"task": f"triggers.tasks.{task}", "schedule": seconds, "options": {"expires": seconds}}


app.conf.beat_schedule = {
    "wake": _every("wake", 5.0),
    "rescue": _every("rescue_lanes", 15.0),
    "partitions": _every("ensure_partitions", 600.0),
}
app.autodiscover_tasks()


@signals.worker_init.connect
def _refuse_insecure(**_: object) -> None:
    try:
        refuse_insecure(env())
    except BadEnvironment as error:
        # Celery swallows what a receiver raises, but for this.
        sys.exit(str(error))
