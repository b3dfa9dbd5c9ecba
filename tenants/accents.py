"""Accent colours: from one colour of a brand, a shade for each scheme that can be read."""

from __future__ import annotations

import re

from tenants.errors import CodedError

READABLE = 4.5  # WCAG 2.2, contrast of text
# The lightest ground that accents stand on in the dark, and the darkest in the light (portal.css).
DARK_GROUND = "1c1f22"
LIGHT_GROUND = "eef0f2"
_INK = ("0b0c0d", "ffffff")
_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
_STEPS = 40


class BadAccent(CodedError):
    """This is no colour."""

    code = "tenants.bad-accent"


def read(text: str) -> str:
    """Six hex digits in small letters, from ``#rrggbb`` or ``#rgb``. Raises ``BadAccent``."""
    match = _HEX.fullmatch(text.strip())
    if not match:
        raise BadAccent("Write the colour as # and six hex digits, like #0b6b2a.")
    digits = match[1].lower()
    return digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)


def on_dark(accent: str) -> str:
    """The accent, made lighter until it can be read in the dark scheme."""
    return _until_readable(accent, ground=DARK_GROUND, towards="ffffff")


def on_light(accent: str) -> str:
    """The accent, made darker until it can be read in the light scheme."""
    return _until_readable(accent, ground=LIGHT_GROUND, towards="000000")


def text_on(accent: str) -> str:
    """Black or white, whichever reads better on the accent; one of them always reaches ``READABLE``."""
    return max(_INK, key=lambda ink: contrast(ink, accent))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG: 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def stylesheet(accent: str) -> str:
    """What a portal page adds to ``portal.css``."""
    dark, light = on_dark(accent), on_light(accent)
    return (
        f":root{{--go:#{dark};--on-go:#{text_on(dark)}}}\n"
        f"@media (prefers-color-scheme: light){{:root{{--go:#{light};--on-go:#{text_on(light)}}}}}\n"
    )


def _until_readable(accent: str, *, ground: str, towards: str) -> str:
    for step in range(_STEPS + 1):
        shade = _mix(accent, towards, step / _STEPS)
        if contrast(shade, ground) >= READABLE:
            return shade
    return towards


def _mix(one: str, other: str, share: float) -> str:
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
