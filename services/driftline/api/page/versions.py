"""The versions of a model, each with the recipe that gives it again."""

from collections.abc import Iterator, Mapping
from typing import Final

from driftline.api.folds import Folds
from driftline.api.page import words
from driftline.api.page.layout import Page, badge, facts, link
from driftline.api.page.markup import Content, Html, joined, tag
from driftline.core.learning.figures import WINDOW
from driftline.core.registry.models import ModelState
from driftline.core.registry.rows import beginning_said, learned_since, test_set_said
from driftline.core.registry.version_list import Version
from driftline_schemas.codec import canonical

SHOWN: Final = 50
# How the learner judged a lineage, and by what: the names of its figures.
AS_OF: Final = "as of each prediction"
WAYS: Final = {"as_of": AS_OF, "prequential_zero_delay": "had each label come at once"}
METRICS: Final = {"accuracy": words.ACCURACY, "mae": words.ABSOLUTE_ERROR}
EXPLAINED: Final = (
    "A version is a recipe: with these parts it can be made again, bit for bit. Figures are those"
    f" of its lineage so far, {AS_OF}: by the version that was there when it was asked for."
)


def versions_page(folds: Folds, known: ModelState, *, before: int, may_decide: bool) -> Page:
    """The newest first; `before`: only those that became facts before that one (0: all, with the
    one that serves at the top if it is not among them)."""
    shown = known.versions.newest(SHOWN, before or None)[::-1]
    rest = known.versions.until(shown[-1].fact_seq) if shown else 0
    serving = known.deployed.version if known.deployed else None
    pinned = [] if before or serving is None or serving in shown else [serving]
    entries = [_version(known, version, may_decide=may_decide) for version in [*pinned, *shown]]
    earlier = {"name": known.name, "before": str(shown[-1].fact_seq)} if rest else {}
    more = link(f"{rest:,} earlier versions", "/versions", **earlier) if rest else None
    return Page(
        f"Versions of {known.name}",
        joined(
            [
                tag("p", link(known.name, "/model", name=known.name)),
                tag("p", EXPLAINED, class_="quiet"),
                tag("ul", *entries, class_="versions") if entries else tag("p", "None yet."),
                tag("p", more) if more else None,
            ]
        ),
        here="/",
    )


def _version(known: ModelState, version: Version, *, may_decide: bool) -> Html:
    recipe = version.recipe
    name = version.name.removeprefix(f"{known.name}/")
    serves = known.deployed is not None and known.deployed.body.version_id == version.version_id
    promote = (
        link("Promote …", "/promote", class_="button", name=known.name, version=version.version_id)
        if may_decide and not serves
        else None
    )
    return tag(
        "li",
        tag("h2", name, " ", badge("serves", "good") if serves else None),
        tag("p", words.moment(recipe.created_ts), f", lineage {version.lineage}",
            ", held" if version.lineage in known.held else None),
        *(tag("p", words.capital(said)) for said in figures_said(recipe.metrics)),
        tag("details", tag("summary", "Recipe"), _recipe(known, version),
            id=f"recipe-{version.version_id}"),
        tag("p", promote) if promote else None,
        class_="card",
    )  # fmt: skip


def figures_said(metrics: Mapping[str, float]) -> Iterator[str]:
    """`as of each prediction: accuracy 91.2 %, 93 % over the last 200 labels`, and so on."""
    for way, how in WAYS.items():
        parts = []
        for called, metric in METRICS.items():
            name = f"{way}_{called}"
            if name in metrics:
                parts.append(f"{words.metric_name(metric)} {words.figure(metric, metrics[name])}")
            if (last := metrics.get(f"{name}_last_{WINDOW}")) is not None:
                parts.append(f"{words.figure(metric, last)} over the last {WINDOW} labels")
        if unusable := metrics.get(f"{way}_unusable"):
            parts.append(f"{words.times(int(unusable), 'answer')} that could not be used")
        if parts:
            yield f"{how}: {', '.join(parts)}"


def _recipe(known: ModelState, version: Version) -> Html:
    recipe = version.recipe
    parent = known.versions.get(recipe.parent or "")
    tried = None if recipe.test_set is None else test_set_said(recipe.test_set)
    pairs: list[tuple[str, Content]] = [
        ("Version id", version.version_id),
        ("Parent", parent.name if parent else recipe.parent),
        ("Specification", recipe.spec_hash),
        ("Beginning", beginning_said(known, version)),
        ("Learned since", learned_since(version)),
        ("Seeds", canonical(recipe.seeds).decode() if recipe.seeds else None),
        ("State hash", recipe.state_hash),
        ("Test set", tried),
        ("Code", recipe.code),
        ("Environment", ", ".join(f"{k} {v}" for k, v in sorted(recipe.environment.items()))),
        ("Artifact", f"{recipe.artifact.bytes:,} bytes, sha256 {recipe.artifact.sha256}"),
        ("Fact", f"{version.fact_seq:,}"),
    ]
    return facts(pairs)
