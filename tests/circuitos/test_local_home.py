"""The home folder: one run at a time, secrets made once, sockets with short addresses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from circuitos.local import home as homes
from circuitos.local.home import LocalError

HOLDER = """
import sys, time
from pathlib import Path
from circuitos.local.home import Lock
Lock(Path(sys.argv[1])).take(tell=print)
print("taken", flush=True)
sys.stdin.read()
"""


class TestLock:
    def test_a_second_run_is_refused_with_the_first_ones_process(self, tmp_path):
        home = homes.prepare(tmp_path)
        command = [sys.executable, "-c", HOLDER, str(home)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
            assert first.stdout.readline() == "taken\n"

            with pytest.raises(LocalError, match=rf"process {first.pid}.*CIRCUITOS_HOME"):
                homes.Lock(home).take(tell=lambda sentence: None)
            first.stdin.close()

    def test_tells_a_run_that_was_killed_from_one_that_stopped(self, tmp_path):
        home = homes.prepare(tmp_path)
        command = [sys.executable, "-c", HOLDER, str(home)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
            assert first.stdout.readline() == "taken\n"
            first.kill()

        lock = homes.Lock(home)
        assert lock.take(tell=lambda sentence: None)
        lock.release()
        lock = homes.Lock(home)
        assert not lock.take(tell=lambda sentence: None)
        lock.release()


class TestSecrets:
    def test_are_made_once_and_for_the_owner_alone(self, tmp_path):
        home = homes.prepare(tmp_path)

        first = homes.keys(home)

        assert homes.keys(home) == first
        assert len(set(first.values())) == 3
        assert (home / "secrets.json").stat().st_mode & 0o077 == 0

    def test_a_file_that_cannot_be_read_is_told_not_replaced(self, tmp_path):
        (tmp_path / "secrets.json").write_text("{")

        with pytest.raises(LocalError, match=r"secrets\.json cannot be read"):
            homes.keys(tmp_path)


class TestSocketFolder:
    def test_is_short_and_plain_however_long_the_home_is(self, tmp_path):
        home = homes.prepare(tmp_path / ("long " * 20) / "home")

        folder = homes.socket_folder(home, part="pg")

        assert len(str(folder)) + len(homes.LONGEST_SOCKET_NAME) <= homes.SOCKET_ADDRESS_LIMIT
        assert " " not in str(folder)
        assert folder.stat().st_mode & 0o077 == 0
        assert folder == homes.socket_folder(home, part="pg")
        assert folder != homes.socket_folder(homes.prepare(tmp_path / ("other " * 20)), part="pg")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of someone else's")
    def test_a_folder_of_someone_else_is_not_used(self, tmp_path):
        home = homes.prepare(tmp_path / ("long " * 20))
        parent = homes.socket_folder(home, part="pg").parent
        os.chown(parent, 65534, 65534)

        with pytest.raises(LocalError, match="belongs to someone else"):
            homes.socket_folder(home, part="pg")


def test_a_home_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(LocalError, match="cannot be used"):
        homes.prepare(tmp_path / "file" / "home")


class TestAnnouncement:
    ENVIRON = {"DATABASE_URL": "postgres://a", "SECRET_KEY": "s", "PATH": "/bin"}

    def test_other_commands_find_the_servers_of_a_run(self, tmp_path):
        (tmp_path / "up.lock").write_text(str(os.getpid()))
        homes.announce(tmp_path, self.ENVIRON)
        environ = {"SECRET_KEY": "my own"}

        assert homes.adopt(environ, tmp_path)

        assert environ == {"DATABASE_URL": "postgres://a", "SECRET_KEY": "my own"}
        assert (tmp_path / "environ.json").stat().st_mode & 0o077 == 0

    def test_a_run_that_was_killed_or_another_database_is_not_taken(self, tmp_path):
        homes.announce(tmp_path, self.ENVIRON)
        (tmp_path / "up.lock").write_text(str(2**22 + 1))
        assert not homes.adopt({}, tmp_path)

        (tmp_path / "up.lock").write_text(str(os.getpid()))
        assert not homes.adopt({"DATABASE_URL": "postgres://b"}, tmp_path)

        homes.retract(tmp_path)
        assert not homes.adopt({}, tmp_path)
