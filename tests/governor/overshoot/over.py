"""Handlers that go over a limit, each in another kind of code."""

from __future__ import annotations

import hashlib
import mmap
import random
import re
import threading
import time

import numpy as np

from circuitos import CircuitTrigger, trigger

MIB = 1024 * 1024


class Time(CircuitTrigger):
    """All compute without an end."""

    @trigger("Contact", ["afterInsert"])
    def in_python(self, context):
        number = 0
        while True:
            number = (number * 31 + 7) % 1_000_003

    @trigger("Contact", ["afterInsert"])
    def in_a_builtin(self, context):
        sum(range(10**15))

    @trigger("Contact", ["afterInsert"])
    def in_openssl(self, context):
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2**31 - 1)

    @trigger("Contact", ["afterInsert"])
    def in_sorting(self, context):
        numbers = [random.random() for _ in range(200_000)]
        while True:
            sorted(numbers)

    @trigger("Contact", ["afterInsert"])
    def in_numpy(self, context):
        square = np.ones((300, 300))
        while True:
            square = np.sort(square @ square % 7, axis=None).reshape(300, 300)

    @trigger("Contact", ["afterInsert"])
    def in_backtracking(self, context):
        re.match(r"(a+)+b", "a" * 60)

    @trigger("Contact", ["afterInsert"])
    def in_threads(self, context):
        def work():
            hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2**31 - 1)

        for _ in range(6):
            threading.Thread(target=work, daemon=True).start()
        work()

    @trigger("Contact", ["afterInsert"])
    def swallowing(self, context):
        while True:
            try:
                sum(range(10**7))
            except BaseException:
                continue


class Memory(CircuitTrigger):
    """All take memory without an end, as fast as they can."""

    @trigger("Contact", ["afterInsert"])
    def in_python(self, context):
        held = []
        while True:
            held.append([len(held), str(len(held))])

    @trigger("Contact", ["afterInsert"])
    def in_a_builtin(self, context):
        return len(list(range(10**9)))

    @trigger("Contact", ["afterInsert"])
    def in_one_go(self, context):
        """Just more than the limit of 64: within what the kernel lets it have, before anybody looks."""
        held = bytearray(66 * MIB)
        while True:
            held[0] ^= 1

    @trigger("Contact", ["afterInsert"])
    def in_sorting(self, context):
        numbers = []
        while True:
            numbers = sorted([*numbers, *(random.random() for _ in range(100_000))])

    @trigger("Contact", ["afterInsert"])
    def in_numpy(self, context):
        held = []
        while True:
            held.append(np.ones(MIB))

    @trigger("Contact", ["afterInsert"])
    def in_backtracking(self, context):
        text = "ab" * 8 * MIB
        re.match(r"(?:(a)|(b))*c", text)
        time.sleep(60)

    @trigger("Contact", ["afterInsert"])
    def in_threads(self, context):
        held = []
        begin = threading.Event()

        def work():
            begin.wait()
            while True:
                held.append(b"x" * 100_000)

        for _ in range(6):
            threading.Thread(target=work, daemon=True).start()
        begin.set()
        work()

    @trigger("Contact", ["afterInsert"])
    def swallowing(self, context):
        held = []
        while True:
            try:
                held.append(bytearray(MIB // 4))
            except MemoryError:
                time.sleep(0.001)

    @trigger("Contact", ["afterInsert"])
    def shared(self, context):
        area = mmap.mmap(-1, 1024 * MIB)
        for start in range(0, 1024 * MIB, 4096):
            area[start] = 1

    @trigger("Contact", ["afterInsert"])
    def shared_piecemeal(self, context):
        held = []
        while True:
            try:
                area = mmap.mmap(-1, MIB)
            except OSError:
                continue
            area[:] = b"x" * MIB
            held.append(area)
