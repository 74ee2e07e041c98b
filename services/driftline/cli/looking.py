"""Look at an installation once: servers, roles, incidents, dead letters, models."""

from collections import Counter
from collections.abc import Iterable
from time import monotonic, sleep
from typing import Final, TypeVar

from driftline.cli.overview import Overview, still_open
from driftline.cli.role_progress import progress
from driftline.core.registry.state import RegistryState
from driftline.runtime.clock import SystemClock
from driftline.runtime.errors import DriftlineError
from driftline.runtime.first_contact import NoBrokerError, advertised, look_at, meet
from driftline.runtime.group_looks import GroupLooks, RoleLook, all_of
from driftline.runtime.log_reading import read_stretches
from driftline.runtime.redis_looks import NoRedisError, look_at_redis, place_of
from driftline.runtime.registry_log import RegistryError, iterate_registry
from driftline.runtime.settings import Settings
from driftline.runtime.topic_admin import find_topics
from driftline.runtime.topic_tail import MOST, read_tail
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.dead_letters import DeadLetter
from driftline_schemas.fields import Event
from driftline_schemas.registry import ScorerStatus
from driftline_schemas.topics import ALERTS, DEAD_LETTERS, SCORER_STATUS, TOPICS, Topic

E = TypeVar("E", bound=Event)
APART_SECONDS: Final = 2.0  # as far as checkpoints: sooner, half of all looks would see no commit
HOUR_MS: Final = 3_600_000
MOST_LETTERS: Final = 5_000  # of one partition; reasons of the older ones are not told


def look(settings: Settings, before: dict[str, RoleLook] | None = None) -> Overview:
    """One look; it takes two seconds unless `before` gives an earlier look at the groups."""
    seen = Overview(
        settings.topic_prefix,
        SystemClock().now(),
        settings.brokers,
        place_of(settings.redis_url),
        topics_wanted=len(TOPICS),
    )
    try:
        seen.redis = look_at_redis(settings.redis_url)
    except NoRedisError as error:
        seen.down.append(str(error))
    try:
        seen.broker = meet(settings.brokers)
        seen.cluster = [look_at(address) for address in advertised(settings.brokers)]
        seen.topics = len(find_topics(settings))
        if seen.topics == len(TOPICS):
            _look_inside(seen, settings, before)
    except NoBrokerError as error:
        seen.down.append(str(error))
    except DriftlineError as error:  # one part that cannot be seen hides no other
        seen.down.append(str(error))
    seen.note_what_is_down()
    return seen


def _look_inside(seen: Overview, settings: Settings, before: dict[str, RoleLook] | None) -> None:
    groups = GroupLooks(settings.brokers, settings.topic_prefix)
    first = before or groups.look()
    began = monotonic()
    seen.alerts = still_open(_events(settings, ALERTS, Alert))
    seen.dead_letters = _dead_letters(settings, groups, seen.at - HOUR_MS)
    seen.scorers = _scorers(_events(settings, SCORER_STATUS, ScorerStatus))
    _look_at_registry(seen, settings)
    if before is None:
        sleep(max(0.0, APART_SECONDS - (monotonic() - began)))
    now = groups.look()
    seen.roles = {role: progress(first[role], now[role]) for role in now}


def _look_at_registry(seen: Overview, settings: Settings) -> None:
    state = RegistryState()
    try:
        for fact in iterate_registry(settings.brokers, settings.topic_prefix):
            state.apply(fact)
    except RegistryError as error:
        seen.down.append(str(error))
        return
    seen.registry = state
    if state.installation is None:
        seen.down.append("The installation is not set up: run `driftline topics init`.")


def _dead_letters(settings: Settings, groups: GroupLooks, since: int) -> Counter[str]:
    """By reason, of those written since then (ms)."""
    tps = all_of(DEAD_LETTERS, settings.topic_prefix)
    first, ends = groups.since(tps, since), groups.ends(tps)
    stretches = {tp: (max(first[tp], ends[tp] - MOST_LETTERS), ends[tp]) for tp in tps}
    found: Counter[str] = Counter()
    for message in read_stretches(settings.brokers, stretches):
        if message.value() is None:
            continue  # a note that one was sent again
        try:
            found[decode(DeadLetter, message.value()).reason] += 1
        except UnreadableEvent:
            found["unreadable"] += 1
    if older := sum(stretches[tp][0] - first[tp] for tp in tps):
        found["older ones, not read"] = older
    return found


def _scorers(statuses: Iterable[ScorerStatus]) -> list[ScorerStatus]:
    newest = {status.scorer_id: status for status in statuses}
    return [newest[name] for name in sorted(newest) if not newest[name].signed_off]


def _events(settings: Settings, topic: Topic, kind: type[E]) -> list[E]:
    """The newest events of a topic; what cannot be read is left out."""
    found = []
    name, most = topic.full_name(settings.topic_prefix), None if topic.compacted else MOST
    for raw in read_tail(settings.brokers, name, range(topic.partitions), most):
        try:
            found.append(decode(kind, raw))
        except UnreadableEvent:
            continue
    return found
