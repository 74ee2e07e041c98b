"""Hold records back until the registry was read far enough to judge them."""

import asyncio
from collections.abc import Callable

from driftline.runtime.ports import StoreUnavailableError

STEP_SECONDS = 0.05
PATIENCE_STEPS = 200


async def wait_until_known(is_known: Callable[[int], bool], time: int) -> None:
    """Return once facts in force at `time` (ms) are known; StoreUnavailableError after 10 s."""
    for _ in range(PATIENCE_STEPS):
        if is_known(time):
            return
        await asyncio.sleep(STEP_SECONDS)
    raise StoreUnavailableError("the registry was not read to its end in time")
