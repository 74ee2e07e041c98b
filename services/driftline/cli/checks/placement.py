"""Do records lie where their prediction id belongs, and who puts them elsewhere?"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from driftline.cli.checks.evidence import Evidence, Sampled
from driftline.cli.checks.finding import Finding, error, warning
from driftline.cli.letters import UNKNOWN, short_name
from driftline_schemas.fields import format_time
from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import PREDICTIONS

CHECK = "partitioner"
DAY_MS: Final = 86_400_000
NEWEST: Final = 100  # records of a producer: what it has mended since is no fault any more
MEND: Final = (
    "Give that producer the prediction id as key and partitioner=murmur2_random (librdkafka; Java"
    " does so by itself), then run `driftline deadletters resend --reason misplaced --yes`."
)
MEND_AGAIN: Final = (
    "If that producer is mended and these were not sent again yet, run `driftline deadletters"
    " resend --reason misplaced --yes`."
)


def check(seen: Evidence) -> Iterator[Finding]:
    """Misplaced records of the sample are an error; dead letters alone may be of the past."""
    by_producer: dict[tuple[str, str], list[Sampled]] = {}
    for each in sorted(_sample(seen), key=lambda each: each.at):
        if seen.now - each.at < DAY_MS:
            by_producer.setdefault((each.topic, each.producer), []).append(each)
    told_already = set()
    for (topic, producer), records in by_producer.items():
        newest = records[-NEWEST:]
        if not (wrong := [each for each in newest if not _is_placed(each)]):
            continue
        told_already.add(producer)
        yield error(
            CHECK,
            f"{len(wrong):,} of the {len(newest):,} newest {topic} of {_producer(producer)} lie in"
            " another partition than murmur2 of their id gives, the last since"
            f" {format_time(wrong[-1].at)}.",
            MEND,
        )
    yield from _letters(seen, told_already)


def told(seen: Evidence) -> str:
    """When all is well."""
    return f"{len(_sample(seen)):,} sampled records lie where they belong"


def _sample(seen: Evidence) -> list[Sampled]:
    return [*seen.predictions, *seen.labels]


def _is_placed(each: Sampled) -> bool:
    return partition_of(each.prediction_id, PREDICTIONS.partitions) == each.partition


def _letters(seen: Evidence, told_already: set[str]) -> Iterator[Finding]:
    """Those that were not sent again since."""
    refused = Counter(
        (short_name(letter.told.topic), letter.producer)
        for letter in seen.letters
        if letter.told.reason == "misplaced" and not seen.resent.copies(letter)
    )
    for (topic, producer), n in refused.most_common():
        if producer not in told_already:
            yield warning(
                CHECK,
                f"{n:,} {topic} of {_producer(producer)} were refused as misplaced within a day.",
                MEND_AGAIN,
            )


def _producer(name: str) -> str:
    return "a producer without a name" if name == UNKNOWN else f"the producer {name}"
