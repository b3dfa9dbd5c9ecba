"""Public ids sort by the time they were made."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from tenants.ids import new_code


class TestNewCode:
    def test_is_a_version_7_uuid_with_the_time_in_front(self):
        before = time.time_ns() // 1_000_000
        code = new_code()

        assert (code.version, code.variant) == (7, "specified in RFC 4122")
        assert before <= code.int >> 80 <= time.time_ns() // 1_000_000 + 1

    def test_grows_within_a_process(self):
        codes = [new_code() for _ in range(20_000)]

        assert codes == sorted(codes)
        assert len(set(codes)) == len(codes)

    def test_is_unique_among_threads(self):
        with ThreadPoolExecutor(8) as pool:
            lists = list(pool.map(lambda _: [new_code() for _ in range(2_000)], range(8)))

        assert len({code for codes in lists for code in codes}) == 16_000

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    def test_does_not_repeat_after_a_fork(self):
        new_code()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"".join(new_code().bytes for _ in range(200)))
            os._exit(0)
        ours = {new_code() for _ in range(200)}
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            raw = pipe.read()
        os.waitpid(child, 0)

        assert len(raw) == 3200
        assert not ours & {UUID(bytes=raw[at : at + 16]) for at in range(0, 3200, 16)}
