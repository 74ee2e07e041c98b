"""What does a learning fold have from outside?"""

from collections.abc import Mapping
from dataclasses import dataclass

from driftline.core.learning.materials import Materials
from driftline.core.learning.training import Chances
from driftline.core.learning.versions import ModelCodec


@dataclass(frozen=True, slots=True)
class LearningPolicy:
    """What all learners of an installation agree on, and what goes into each recipe. `chances`
    makes a generator from a seed. Of so many labels one is also predicted just before it is
    learned (`zero_delay_every`), for the figure that flatters."""

    horizon_ms: int
    code: str
    environment: Mapping[str, str]
    chances: Chances
    zero_delay_every: int = 10


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Rules, the way models become bytes, and what was fetched and made."""

    policy: LearningPolicy
    codec: ModelCodec
    materials: Materials
