"""The beat: it calls the workers to their rounds. ``python -m circuitos.beat``

A Celery app that knows the broker and loads no Django.
"""

from __future__ import annotations

from celery import Celery

from circuitos.env import celery_broker, env
from triggers import heartbeat

# No fixups: Celery would load Django, and with it four fifths of this process's memory.
app = Celery("circuitos.beat", fixups=[], set_as_current=False)


def _every(task: str, seconds: float) -> dict[str, object]:
    # While no worker listens, rounds must not pile up.
    return {"task": f"triggers.tasks.{task}", "schedule": seconds, "options": {"expires": seconds}}


app.conf.update(
    broker_url=celery_broker(env().redis_url or "redis://127.0.0.1:6379/0"),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    task_default_queue="circuitos",
    task_ignore_result=True,
    timezone="UTC",
    # In memory: nothing to lose, and two beats ring twice, which costs nothing.
    beat_scheduler="celery.beat:Scheduler",
    beat_max_loop_interval=5,
    beat_schedule={
        "wake": _every("wake", 5.0),
        "rescue": _every("rescue_lanes", 15.0),
        "replays": _every("feed_replays", 5.0),
        "quotas": _every("review_quotas", 15.0),
        "alerts": _every("review_alerts", 30.0),
        "pulse": _every("take_pulse", 20.0),
        "reconcile": _every("reconcile_usage", 6 * 3600.0),
        "imports": _every("import_history", 5.0),
        "missed": _every("find_missed", 20.0),
        "outbox": _every("send_outbox", 15.0),
        "failures": _every("group_failures", 10.0),
        "partitions": _every("ensure_partitions", 600.0),
        "audit": _every("look_at_audit", 3600.0),
        "sweep": _every("sweep_deliveries", 600.0),
    },
)

__all__ = ["app", "heartbeat"]  # the heartbeat listens to this app's signals

if __name__ == "__main__":
    app.Beat(loglevel="WARNING", quiet=True).run()
