"""How long a lead takes from its signed webhook to its stored score, while 20 tenants send all kinds.

    python -m benchmarks.latency [--rate N] [--seconds N] [--json]

The clock of a lead starts when its webhook is due, also when the sender is late, and ends when PostgreSQL has
committed its score. Of what is sent, 60 % are new leads, 20 % opportunities, 10 % changes of known contacts
and 10 % are deliveries once more.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
from typing import Any

from benchmarks import load
from benchmarks.installation import Installation, Sender, lead

TENANTS = 20
CONNECTIONS = 16
KINDS = ("lead",) * 12 + ("opportunity",) * 4 + ("change",) * 2 + ("duplicate",) * 2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rate", type=float, default=40.0, help="deliveries a second, of all tenants together"
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with Installation(tenants=TENANTS) as installation:
        installation.start()
        told = measure(installation, rate=wanted.rate, seconds=wanted.seconds)
    if wanted.json:
        json.dump(told, sys.stdout, indent=1)
        return
    print(f"one lead, webhook to stored score, {TENANTS} tenants, {wanted.rate:g} deliveries a second")
    print(f"  p50 {told['p50_ms']:6.0f} ms   (under 300, aim 150)")
    print(f"  p95 {told['p95_ms']:6.0f} ms   (under 1000, aim 500)")
    print(
        f"  p99 {told['p99_ms']:6.0f} ms   of {told['leads']} leads;"
        f" answers p99 {told['answer_p99_ms']:.0f} ms"
    )
    print(f"  CPU s: {told['cpu_seconds']}; {told['statuses']}")


def measure(installation: Installation, *, rate: float, seconds: float) -> dict[str, Any]:
    """The percentiles of one run of so many seconds."""
    senders = [Sender(tenant) for tenant in installation.tenants]
    # Warm: each tenant's lanes, and contacts for the changes.
    known = [f"known{secrets.token_hex(4)}" for _ in senders]
    warm = [sender.gohighlevel(lead(contact)) for sender, contact in zip(senders, known, strict=True)]
    warm += [
        sender.gohighlevel(_opportunity(contact)) for sender, contact in zip(senders, known, strict=True)
    ]
    load.run(warm, port=installation.port, connections=CONNECTIONS, seconds=60, rate=rate)
    installation.wait_until_done()

    made, leads = _mixed(senders, known, int(rate * seconds))
    spent = installation.cpu_seconds()
    sent = load.run(made, port=installation.port, connections=CONNECTIONS, seconds=seconds * 3, rate=rate)
    installation.wait_until_done()
    cpu = {name: round(used - spent[name], 2) for name, used in installation.cpu_seconds().items()}
    stored = installation.stored_at(installation.tenants)
    begun_at = float(sent["begun_at"])  # type: ignore[arg-type]  # a number
    missing = [contact for contact in leads if contact not in stored]
    if missing:
        raise SystemExit(
            f"{len(missing)} leads have no score: {installation.statuses()}\n{installation.logs()}"
        )
    took = sorted(stored[contact] - begun_at - number / rate for contact, number in leads.items())
    return {
        **{f"p{share}_ms": took[len(took) * share // 100] * 1000 for share in (50, 95, 99)},
        "leads": len(took),
        "answer_p99_ms": sent["p99_ms"],
        "cpu_seconds": cpu,
        "statuses": installation.statuses(),
    }


def _mixed(senders: list[Sender], known: list[str], count: int) -> tuple[list[bytes], dict[str, int]]:
    """The requests in order, and of each new lead the place in that order."""
    rng = random.Random(7)
    salt = secrets.token_hex(4)
    made: list[bytes] = []
    leads: dict[str, int] = {}
    kinds = [rng.choice(KINDS) for _ in range(count)]
    for number, kind in enumerate(kinds):
        which = rng.randrange(len(senders))
        sender = senders[which]
        if kind == "lead":
            leads[f"{salt}{number:06d}"] = number
            made.append(sender.gohighlevel(lead(f"{salt}{number:06d}", number)))
        elif kind == "opportunity":
            made.append(sender.gohighlevel(_opportunity(f"{salt}{number:06d}")))
        elif kind == "change":
            changed = lead(known[which], number) | {"type": "ContactUpdate", "webhookId": f"{salt}-{number}"}
            del changed["timestamp"], changed["dateAdded"]
            made.append(sender.gohighlevel(changed))
        else:
            made.append(rng.choice(made) if made else sender.gohighlevel(_opportunity(salt)))
    return made, leads


def _opportunity(name: str) -> dict[str, Any]:
    return {
        "type": "OpportunityCreate",
        "webhookId": f"wh-op-{name}",
        "id": f"op-{name}",
        "contactId": name,
        "monetaryValue": 2400,
        "name": "Roof, two storeys",
        "pipelineId": "pipeline",
        "pipelineStageId": "stage",
        "status": "won" if name.endswith(("0", "5")) else "open",
    }


if __name__ == "__main__":
    main()
