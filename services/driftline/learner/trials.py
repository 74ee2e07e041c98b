"""How do versions do on a test set? Tried in threads, while all else goes on."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from driftline.core.learning.fixed_set import FixedSet
from driftline.core.learning.materials import Failure
from driftline.core.learning.outcomes import GateDecided, Judged
from driftline.core.learning.rows import Row, Table, UnusableRowsError
from driftline.core.learning.versions import Manifest
from driftline.learner.workshop import Workshop
from driftline.runtime.ports import StoreUnavailableError
from driftline_schemas.registry import RegistryCommand, TestSetResult

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 1.0
REMEMBERED: Final = 4  # test sets whose rows are kept
RESULTS: Final = 256


@dataclass(slots=True)
class Trials:
    """One per process. A result is a function of the version's bytes and of the file's."""

    workshop: Workshop
    _rows: OrderedDict[FixedSet, Sequence[Row] | Failure] = field(default_factory=OrderedDict)
    _results: OrderedDict[tuple[FixedSet, str], TestSetResult] = field(default_factory=OrderedDict)

    async def promoted(self, decided: GateDecided) -> RegistryCommand:
        """What tells the registry of the first proven version that passes; of the best one, with
        what it lacks, if none does."""
        assert decided.fixed_set is not None  # noqa: S101 - its caller looked
        best = None
        for judged in (decided.judged, *decided.others):
            result = await self._of(decided.fixed_set, judged)
            gate = judged.gate.model_copy(update={"test_set": result})
            if decided.fixed_set.is_passed(result):
                return decided.command_of(gate)
            best = best or gate
        return decided.command_of(best or decided.gate)

    async def _of(self, fixed_set: FixedSet, judged: Judged) -> TestSetResult | None:
        return await self.result(fixed_set, judged.payload, judged.version.manifest)

    async def result(
        self, fixed_set: FixedSet, payload: bytes, manifest: Manifest
    ) -> TestSetResult | None:
        """How the version of these bytes does; None, and a line in the log, if it cannot be tried.
        Waits while the artifact store is away."""
        key = fixed_set, manifest.sha256
        if key not in self._results:
            rows = await self._rows_of(fixed_set)
            if isinstance(rows, Failure):
                return None
            try:
                tried = await asyncio.to_thread(self._try, fixed_set, rows, payload, manifest)
            except Exception as error:  # noqa: BLE001 - of its own bytes: whatever it is, it fails
                log.warning("version_not_tried", file=fixed_set.name, reason=repr(error))
                return None
            self._results[key] = tried
            if len(self._results) > RESULTS:
                self._results.popitem(last=False)
        return self._results[key]

    def _try(
        self, fixed_set: FixedSet, rows: Sequence[Row], payload: bytes, manifest: Manifest
    ) -> TestSetResult:
        return fixed_set.result(rows, self.workshop.codec.load(payload, manifest))

    async def _rows_of(self, fixed_set: FixedSet) -> Sequence[Row] | Failure:
        if fixed_set not in self._rows:
            self._rows[fixed_set] = rows = await self._read(fixed_set)
            if isinstance(rows, Failure):
                log.warning("test_set_unusable", file=fixed_set.name, reason=rows.reason)
            if len(self._rows) > REMEMBERED:
                self._rows.popitem(last=False)
        return self._rows[fixed_set]

    async def _read(self, fixed_set: FixedSet) -> Sequence[Row] | Failure:
        while True:
            try:
                table = await self.workshop.table(fixed_set.need)
            except StoreUnavailableError as error:
                log.warning("test_set_unavailable", file=fixed_set.name, reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not isinstance(table, Table):
                return table
            try:
                return await asyncio.to_thread(fixed_set.rows, table)
            except UnusableRowsError as error:
                return Failure(str(error))
