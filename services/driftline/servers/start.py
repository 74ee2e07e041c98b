"""Start a supervisor with its servers and wait until both answer; try again on a port clash."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from driftline.servers import folder, ports, wheels
from driftline.servers.configuration import Layout, Ports
from driftline.servers.errors import ServersError
from driftline.servers.jars import kafka_jars
from driftline.servers.locks import held
from driftline.servers.plan import Plan
from driftline.servers.readiness import PortClashError, wait_until_ready
from driftline.servers.state import SERVERS, State, read

_TRIES = 5
_END_S = 20.0
_SUPERVISOR = (sys.executable, "-P", "-m", "driftline.servers.supervisor")


@dataclass(frozen=True, slots=True)
class Lifeline:
    """The supervisor as its starter holds it: it ends the servers when the starter lets go."""

    process: subprocess.Popen[bytes]
    layout: Layout
    keep: bool

    def alive(self) -> bool:
        return self.process.poll() is None

    def detach(self) -> None:
        """Let the servers outlive this process."""
        _stream(self.process.stdin).write(b"detach\n")
        _close(self.process)
        self.process.returncode = 0  # not ours to wait for: else its object warns when it goes

    def let_go(self) -> None:
        """End the servers; returns when processes, ports and files are gone."""
        _end(self.process)
        killed = self.process.returncode < 0  # then nobody has cleaned up yet
        if killed and not self.keep:
            folder.remove(self.layout)


def start(directory: Path | None, *, proxy_port: int | None = None, keep: bool = False) -> Lifeline:
    """Start both servers in `directory`, or in a temporary folder; returns when both answer.

    A folder that earlier servers kept is used again, on the same ports. With `keep`, its data
    stays when this process dies before it detaches.

    Raises:
        ServersError: what is wrong, and how to mend it.
    """
    if directory is not None:
        directory = _prepared(directory)
    earlier = read(Layout(directory)) if directory is not None else None
    for tries_left in reversed(range(_TRIES)):
        try:
            chosen = _ports(earlier, proxy_port)
            return _start_once(_plan(directory, chosen, keep=keep and earlier is not None))
        except PortClashError:
            if earlier is not None or not tries_left:
                raise
    raise AssertionError("the last try returns or raises")


def _prepared(directory: Path) -> Path:
    directory = directory.expanduser().absolute()
    folder.check_ours(directory)
    if held(Layout(directory).lock):
        raise ServersError(f"Local servers run in {directory} already; stop them first.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServersError(
            f"The folder {directory} cannot be made ({error.strerror}); name another one."
        ) from error
    return directory


def _ports(earlier: State | None, proxy_port: int | None) -> Ports:
    """Free ports, or those of the data that is there: Kafka's keeps its controller's address."""
    kafka, controller, redis, proxied = ports.free_ports(4)
    if earlier is not None:
        kafka, controller, redis = (
            earlier.ports.kafka,
            earlier.ports.controller,
            earlier.ports.redis,
        )
    chosen = Ports(kafka, controller, redis, proxied if proxy_port else None, proxy_port)
    if (port := ports.taken(chosen.listening())) is not None:
        raise PortClashError(
            f"Port {port} of the local servers is taken; "
            "stop what listens there, or use another folder."
        )
    return chosen


def _plan(directory: Path | None, chosen: Ports, *, keep: bool) -> Plan:
    return Plan(
        directory=str(directory) if directory is not None else None,
        java=str(wheels.java()),
        jars=tuple(map(str, kafka_jars())),
        redis_server=str(wheels.redis_server()),
        ports=chosen,
        starter=os.getpid(),
        keep=keep,
    )


def _start_once(plan: Plan) -> Lifeline:
    lifeline = _launch(plan)
    try:
        wait_until_ready(lifeline.layout, SERVERS, lifeline.alive)
    except BaseException:
        lifeline.let_go()
        raise
    return lifeline


def _launch(plan: Plan) -> Lifeline:
    process = subprocess.Popen(  # noqa: S603 (our own module, by this interpreter)
        _SUPERVISOR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        bufsize=0,
    )
    try:
        with contextlib.suppress(BrokenPipeError):  # what it said instead tells more
            _stream(process.stdin).write(plan.line())
        directory = _directory(_stream(process.stdout))
    except BaseException:
        _end(process)
        raise
    return Lifeline(process, Layout(directory), plan.keep)


def _end(process: subprocess.Popen[bytes]) -> None:
    _stream(process.stdin).close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()  # its servers die with it
        process.wait()
    finally:
        _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        _stream(stream).close()


def _directory(said: IO[bytes]) -> Path:
    line = said.readline()
    try:
        answer: dict[str, str] = json.loads(line)
    except ValueError:
        *_, reason = ["it said nothing", *(line + said.read()).decode().splitlines()]
        raise ServersError(
            f"The supervisor of the local servers did not start ({reason}); "
            "check the installation and the free space."
        ) from None
    if "error" in answer:
        raise ServersError(answer["error"])
    return Path(answer["directory"])


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("the supervisor is started with pipes")
    return stream
