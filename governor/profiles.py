"""Profiles: how many API calls a trigger makes for so many records, and how many records to give it then.

A profile is a straight line, ``calls = a run's + a record's × records``, through the latest executions, each
counting for less with every one after it. It knows no limit: whoever lowers one is followed at once.
"""

from __future__ import annotations

from dataclasses import dataclass

SHARE = 0.8  # of the limit that a batch may be expected to use
KEPT = 0.7  # of an execution's weight, with each one after it
SURPRISED = 0.02  # of the weight of all before, when a batch came to its limit against expectation
# A trigger that never came to its limit is sized only by a line drawn through sizes this far apart …
LEAST_SPREAD = 0.1  # standard deviation over mean
# … and not beyond so many times what was seen: one call for one record may well be one for two hundred.
REACH = 4
# A trigger that did come to its limit is taken to make its calls for its records, with this much weight.
ANCHOR = 0.25
NO_CALLS = 1e-6  # a record: what is less is rounding
STEADY = 2.5  # executions' weight after which a repetition is no news
SAME = 0.02  # share of a line's figures that makes no difference


@dataclass(frozen=True, slots=True)
class Profile:
    """What is remembered of a trigger: weighted sums over executions (x records, y calls), and two sizes."""

    n: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    smallest_breach: int = 0  # records of the smallest batch that came to its limit; 0: none did
    largest_ok: int = 0  # of the largest that did not


@dataclass(frozen=True, slots=True)
class Advice:
    """How many records to give a trigger, and why not more (empty: nothing speaks against it)."""

    size: int
    calls_per_record: float = 0.0
    calls_per_run: float = 0.0
    why: str = ""


def observe(profile: Profile, *, records: int, calls: float, breached: bool) -> Profile:
    """The profile with one more execution. ``breached``: it came to the limit, and would have called on."""
    if records < 1:
        return profile
    if breached:
        if records == 1 and profile.n:
            return profile  # smaller it cannot be: the record is at fault, not the size
        run, record = _line(profile, is_anchored=True) or (0.0, 0.0)
        # Twice what was expected: the script is another, or its records are, and what was learned is old.
        kept = SURPRISED if run + record * records < calls / 2 else 1.0
        return Profile(
            n=profile.n * kept,
            x=profile.x * kept,
            y=profile.y * kept,
            xx=profile.xx * kept,
            xy=profile.xy * kept,
            smallest_breach=min(profile.smallest_breach or records, records),
            largest_ok=min(profile.largest_ok, records - 1),
        )
    # A success of that size takes the limit's word back; past the largest batch, it is forgotten.
    is_disproved = 0 < profile.smallest_breach <= records
    return Profile(
        n=profile.n * KEPT + 1,
        x=profile.x * KEPT + records,
        y=profile.y * KEPT + calls,
        xx=profile.xx * KEPT + records * records,
        xy=profile.xy * KEPT + records * calls,
        smallest_breach=records + 1 if is_disproved else profile.smallest_breach,
        largest_ok=max(profile.largest_ok, records),
    )


def advise(profile: Profile, *, limit: float, most: int) -> Advice:
    """How many records, 1 to ``most``, are expected to need no more than 80 % of ``limit`` calls."""
    most = max(1, most)
    has_breached = 0 < profile.smallest_breach <= most
    line = _line(profile, is_anchored=has_breached)
    if line is None:
        if not has_breached or profile.n:
            return Advice(most)
        return Advice(max(1, profile.smallest_breach // 2), why=_bitten(profile))
    run, record = line
    size, why = most, ""
    room = SHARE * limit - run
    if record > NO_CALLS and room < most * record:
        size, why = max(1, int(room / record + NO_CALLS)), _counted(run, record, limit)
    if not has_breached:
        return Advice(size, record, run, why) if size <= REACH * profile.largest_ok else Advice(most)
    known = REACH * profile.largest_ok or profile.smallest_breach // 2
    if known < size:
        size, why = max(1, known), _bitten(profile)
    return Advice(size, record, run, why)


def is_news(before: Profile, after: Profile, *, calls: float, breached: bool) -> bool:
    """Whether the observation that made ``after`` of ``before`` is worth a row written."""
    if breached or after == before:
        return after != before
    if not calls and not before.smallest_breach and before.y < NO_CALLS:
        return False  # a trigger without calls pays nothing
    if before.n < STEADY or before.smallest_breach != after.smallest_breach:
        return True
    if before.largest_ok != after.largest_ok:
        return True
    old, new = (_line(each, is_anchored=True) or (0.0, 0.0) for each in (before, after))
    return any(abs(was - now) > SAME * max(was, now) for was, now in zip(old, new, strict=True))


def _line(profile: Profile, *, is_anchored: bool) -> tuple[float, float] | None:
    """Calls a run and calls a record, neither below 0; None when too little is known of the second."""
    if profile.n <= 0 or profile.x <= 0:
        return None
    x, y = profile.x / profile.n, profile.y / profile.n
    spread = max(0.0, profile.xx / profile.n - x * x)
    slope = profile.xy / profile.n - x * y
    if is_anchored:
        spread += ANCHOR * x * x
        slope += ANCHOR * x * y
    elif spread < (LEAST_SPREAD * x) ** 2:
        return None
    record = slope / spread
    if record <= NO_CALLS:
        return y, 0.0
    if y < record * x:
        return 0.0, profile.xy / profile.xx
    return y - record * x, record


def _counted(run: float, record: float, limit: float) -> str:
    a_run = f" and {run:.1f} a run" if run >= 0.05 else ""  # what one decimal shows
    a_record = f"{record:.1f}" if record >= 0.1 else f"{record:.3f}"
    return f"{a_record} API calls a record{a_run}, {SHARE * 100:.0f} % of {limit:g}"


def _bitten(profile: Profile) -> str:
    return f"a batch of {profile.smallest_breach} came to the limit api_calls"
