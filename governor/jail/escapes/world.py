"""Escapes to the world outside: network, programs, other processes."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import socket
import struct
from typing import Any

from governor.jail.escapes.attempt import ATTEMPTS, NotHere, attempt, call, outcome
from governor.jail.findings import ESCAPED
from governor.jail.runner import SOCKET_FD

_NOTHING = "/nonexistent/program"
_PTRACE_SEIZE, _F_SETOWN, _TIOCSTI = 0x4206, 8, 0x5412
_FORKS = 8
_SIGINFO_BYTES = 128
_FAMILIES = {
    "an internet socket": "AF_INET",
    "an IPv6 socket": "AF_INET6",
    "a unix socket": "AF_UNIX",
    "a netlink socket": "AF_NETLINK",
    "a packet socket": "AF_PACKET",
    "a vsock socket": "AF_VSOCK",
}


def _open(family: str) -> None:
    if not hasattr(socket, family):
        raise NotHere(f"Python knows no {family}")
    socket.socket(getattr(socket, family), socket.SOCK_DGRAM).close()


for _name, _family in _FAMILIES.items():
    attempt(_name)(lambda hints, family=_family: _open(family))


@attempt("a datagram pair")
def _datagrams(hints: dict[str, Any]) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.close()
    other.close()


@attempt("connecting the socket it has")
def _connect(hints: dict[str, Any]) -> None:
    call("connect", SOCKET_FD, b"\1\0/nonexistent\0", 15)


@attempt("an abstract unix name")
def _bind(hints: dict[str, Any]) -> None:
    call("bind", SOCKET_FD, b"\1\0\0circuitos-escape", 19)


@attempt("listening")
def _listen(hints: dict[str, Any]) -> None:
    call("listen", SOCKET_FD, 1)


@attempt("exec")
def _exec(hints: dict[str, Any]) -> None:
    os.execv(_NOTHING, [_NOTHING])  # noqa: S606


@attempt("exec by descriptor")
def _execveat(hints: dict[str, Any]) -> None:
    call("execveat", -1, _NOTHING.encode(), None, None, 0)


@attempt("posix_spawn")
def _spawn(hints: dict[str, Any]) -> None:
    try:
        os.posix_spawn(_NOTHING, [_NOTHING], {})
    except FileNotFoundError:
        return  # a child was made to look for it


@attempt("fork")
def _fork(hints: dict[str, Any]) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


@attempt("vfork")
def _vfork(hints: dict[str, Any]) -> None:
    # A child in our own memory would not be harmless, so it is tried only where fork was refused.
    fork = next(each for each in ATTEMPTS if each.name == "fork")
    if outcome(fork, hints)[0] == ESCAPED:
        return
    call("vfork")


@attempt("a fork bomb of eight")
def _bomb(hints: dict[str, Any]) -> None:
    for _ in range(_FORKS):
        _fork(hints)


@attempt("clone3")
def _clone3(hints: dict[str, Any]) -> None:
    call("clone3", None, 0)


@attempt("a clone in namespaces of its own")
def _clone(hints: dict[str, Any]) -> None:
    # Refused for the child that would be no thread; where it is not, the child ends here.
    pid = call("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


@attempt("a signal to the parent")
def _signal(hints: dict[str, Any]) -> None:
    os.kill(os.getppid(), 0)


@attempt("a signal to the supervisor")
def _signal_supervisor(hints: dict[str, Any]) -> None:
    os.kill(hints["supervisor"], 0)


@attempt("a signal to the parent's group")
def _signal_group(hints: dict[str, Any]) -> None:
    os.killpg(os.getpgid(os.getppid()), 0)


@attempt("a signal to all")
def _signal_all(hints: dict[str, Any]) -> None:
    os.kill(-1, 0)


@attempt("a signal to a thread of the parent")
def _tgkill(hints: dict[str, Any]) -> None:
    call("tgkill", os.getppid(), os.getppid(), 0)


@attempt("a queued signal")
def _queue(hints: dict[str, Any]) -> None:
    # As a program sends it (SI_QUEUE); one that pretends to come from the kernel would be refused anyhow.
    told = struct.pack("=iii", 0, 0, -1).ljust(_SIGINFO_BYTES, b"\0")
    call("rt_sigqueueinfo", os.getppid(), 0, told)


@attempt("signals from its socket to others")
def _set_owner(hints: dict[str, Any]) -> None:
    fcntl.fcntl(SOCKET_FD, _F_SETOWN, os.getppid())


@attempt("typing into a terminal")
def _type(hints: dict[str, Any]) -> None:
    fcntl.ioctl(0, _TIOCSTI, b"\n")


@attempt("a handle on the parent")
def _pidfd(hints: dict[str, Any]) -> None:
    os.close(os.pidfd_open(os.getppid()))


@attempt("the parent's descriptors")
def _getfd(hints: dict[str, Any]) -> None:
    call("pidfd_getfd", SOCKET_FD, 0, 0)


@attempt("ptrace")
def _ptrace(hints: dict[str, Any]) -> None:
    call("ptrace", _PTRACE_SEIZE, os.getppid(), 0, 0)


@attempt("reading the parent's memory")
def _read_memory(hints: dict[str, Any]) -> None:
    call("process_vm_readv", os.getppid(), None, 0, None, 0, 0)


@attempt("writing the parent's memory")
def _write_memory(hints: dict[str, Any]) -> None:
    call("process_vm_writev", os.getppid(), None, 0, None, 0, 0)


@attempt("comparing descriptors with the parent")
def _kcmp(hints: dict[str, Any]) -> None:
    call("kcmp", os.getpid(), os.getppid(), 0, 0, 0)


@attempt("the parent's limits")
def _prlimit(hints: dict[str, Any]) -> None:
    resource.prlimit(os.getppid(), resource.RLIMIT_CPU)


@attempt("the parent's priority")
def _priority(hints: dict[str, Any]) -> None:
    os.setpriority(os.PRIO_PROCESS, os.getppid(), 0)


@attempt("the parent's processors")
def _affinity(hints: dict[str, Any]) -> None:
    os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0))
