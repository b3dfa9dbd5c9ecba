"""The filters decide alike on both machines: checked by reading them as the kernel does."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from governor.jail.seccomp import runner_filter, zygote_filter
from governor.jail.syscalls import DENIED, NEWEST, NUMBERS

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
ALLOWED, KILLED = 0, "killed"
HARMLESS = {
    "x86_64": (0, 1, 3, 9, 61, 202, 232),
    "aarch64": (63, 64, 57, 222, 260, 98, 22),
}  # read, write, mmap, …


def decide(program, machine, number, *args):
    """0 for "allowed", an errno, or "killed"."""
    data = struct.pack("=IIQ6Q", number, MACHINES[machine][1], 0, *(*args, *(0,) * (6 - len(args))))
    steps = [struct.unpack_from("=HBBI", program, offset) for offset in range(0, len(program), 8)]
    at, value = 0, 0
    while True:
        code, if_true, if_false, operand = steps[at]
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, operand)
        elif code == 0x54:
            value &= operand
        elif code == 0x06:
            return {0x7FFF: ALLOWED, 0x8000: KILLED}.get(operand >> 16, operand & 0xFFFF)
        else:
            is_true = {0x15: value == operand, 0x25: value > operand, 0x45: bool(value & operand)}[code]
            at += if_true if is_true else if_false


@pytest.fixture(params=MACHINES)
def machine(request):
    return request.param


def number(name, machine):
    return NUMBERS[name][MACHINES[machine][0]]


class TestZygoteFilter:
    def test_everything_denied_is_denied(self, machine):
        program = zygote_filter(machine)

        for name in [name for names in DENIED.values() for name in names]:
            if number(name, machine) is not None:
                assert decide(program, machine, number(name, machine)) == errno.EPERM, name

    def test_the_ordinary_is_allowed(self, machine):
        for call in HARMLESS[machine]:
            assert decide(zygote_filter(machine), machine, call) == ALLOWED

    @pytest.mark.parametrize(
        ("name", "args", "expected"),
        [
            ("socketpair", (socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC), ALLOWED),
            ("socketpair", (socket.AF_UNIX, socket.SOCK_DGRAM), errno.EPERM),
            ("socketpair", (socket.AF_INET, socket.SOCK_STREAM), errno.EPERM),
            ("openat", (0, 0, 0o2000000), ALLOWED),
            ("openat", (0, 0, 0o1), errno.EACCES),
            ("openat", (0, 0, 0o1000), errno.EACCES),
            ("clone", (0x01200011,), ALLOWED),
            ("clone", (0x10000000 | 17,), errno.EPERM),
            ("clone3", (), errno.ENOSYS),
            ("fcntl", (3, 1), ALLOWED),
            ("fcntl", (3, 8), errno.EPERM),
            ("fcntl", (3, 10), errno.EPERM),
            ("ioctl", (3, 0x8901), errno.EPERM),
            ("ioctl", (3, 0x5401), ALLOWED),
            ("prlimit64", (0,), ALLOWED),
            ("prlimit64", (1,), errno.EPERM),
        ],
    )
    def test_some_depend_on_their_arguments(self, machine, name, args, expected):
        assert decide(zygote_filter(machine), machine, number(name, machine), *args) == expected

    def test_calls_we_do_not_know_are_absent(self, machine):
        assert decide(zygote_filter(machine), machine, NEWEST + 1) == errno.ENOSYS
        assert decide(zygote_filter(machine), machine, 0x40000000 | 41) == errno.ENOSYS

    def test_another_machines_calls_kill(self, machine):
        other = "aarch64" if machine == "x86_64" else "x86_64"

        assert decide(zygote_filter(machine), other, 1) == KILLED


class TestRunnerFilter:
    @pytest.mark.parametrize(
        ("name", "args", "expected"),
        [
            ("clone", (0x01200011,), errno.EPERM),
            ("clone", (0x3D0F00,), ALLOWED),  # as pthread_create calls it
            ("prctl", (15,), ALLOWED),
            ("prctl", (4, 1), errno.EPERM),
            ("prctl", (1, 0), errno.EPERM),
            ("prctl", (22,), errno.EPERM),
            ("seccomp", (), errno.EPERM),
            ("setuid", (), errno.EPERM),
        ],
    )
    def test_no_process_and_no_way_back(self, machine, name, args, expected):
        assert decide(runner_filter(machine), machine, number(name, machine), *args) == expected
