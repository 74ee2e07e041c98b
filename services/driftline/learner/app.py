"""Build the learner's process."""

from random import Random

from driftline.core.learning.surroundings import LearningPolicy
from driftline.learner.opening import Learners
from driftline.learner.publishing import Publishing
from driftline.learner.ranges import KafkaRanges
from driftline.learner.state import ROLE
from driftline.learner.trials import Trials
from driftline.learner.workshop import Workshop
from driftline.runtime.checkpoint_topic import KafkaCheckpoints
from driftline.runtime.clock import SystemClock
from driftline.runtime.errors import DriftlineError
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.models.loader import SafeCodec
from driftline.runtime.models.making import CODE, environment
from driftline.runtime.outputs import KafkaOutputs
from driftline.runtime.redis_states import RedisStates, connect
from driftline.runtime.service import Service
from driftline.runtime.settings import Settings
from driftline_schemas.topics import JOURNAL, consumer_group

CHUNK = 50  # a forest takes a millisecond a record: the loop must turn meanwhile


def policy_of(settings: Settings) -> LearningPolicy:
    """The learner's rules, as the installation has them."""
    return LearningPolicy(
        horizon_ms=settings.label_horizon_ms, code=CODE, environment=environment(), chances=Random
    )


def build(settings: Settings) -> Service[bytes]:
    """The learner: journal in, versions, verdicts and figures out, state in Redis, models in the
    artifact store. Raises DriftlineError where it is not said where that is."""
    url = settings.artifacts_url
    if not url:
        raise DriftlineError(
            "The learner must know where models are kept: set DRIFTLINE_ARTIFACTS_URL, for example"
            " to file:///var/lib/driftline/artifacts."
        )
    prefix, brokers, clock = settings.topic_prefix, settings.brokers, SystemClock()
    policy, codec = policy_of(settings), SafeCodec()
    publishing = Publishing(KafkaOutputs(brokers, f"{prefix}.{ROLE}.{settings.replica}"))
    workshop = Workshop(
        ArtifactStore.at(url),
        KafkaRanges(brokers, JOURNAL.full_name(prefix)),
        codec,
        policy.chances,
        clock,
    )
    checkpoints = KafkaCheckpoints(brokers, prefix, ROLE)
    learners = Learners(
        policy, codec, workshop, Trials(workshop), publishing, checkpoints, url, prefix, clock
    )
    return Service(
        role=ROLE,
        topics=(JOURNAL,),
        outputs=publishing,
        open_state=learners.open_state,
        store=RedisStates(connect(settings.redis_url), consumer_group(prefix, ROLE)),
        chunk=CHUNK,
    )
