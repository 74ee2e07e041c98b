"""CPU seconds and memory of other processes, threads included, as the kernel counts them."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

UTIME: Final = 11  # place of user time in /proc/PID/stat, counted behind the command's name


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far; 0 when it is gone or there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return (int(fields[UTIME]) + int(fields[UTIME + 1])) / os.sysconf("SC_CLK_TCK")


def cpu_by_name(pids: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """CPU seconds of named groups of processes, to subtract from each other."""
    return {name: sum(map(cpu_seconds, group)) for name, group in pids.items()}


def resident_bytes(pid: int) -> int:
    """What a process has in memory (RSS). Raises OSError when it is gone or there is no /proc."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
