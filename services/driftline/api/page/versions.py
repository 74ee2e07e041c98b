"""The versions of a model, each with the recipe that gives it again."""

from typing import Final

from driftline.api.folds import Folds
from driftline.api.page import words
from driftline.api.page.layout import Page, badge, facts, link
from driftline.api.page.markup import Content, Html, joined, tag
from driftline.core.registry.models import ModelState, Version
from driftline_schemas.codec import canonical
from driftline_schemas.registry import ModelUpdated

SHOWN: Final = 50


def versions_page(folds: Folds, known: ModelState, *, before: int, may_decide: bool) -> Page:
    """The newest first; `before`: only those that became facts before that one (0: all)."""
    found = [v for v in reversed(known.versions.values()) if not before or v.fact_seq < before]
    shown, rest = found[:SHOWN], found[SHOWN:]
    entries = [_version(known, version, may_decide=may_decide) for version in shown]
    earlier = {"name": known.name, "before": str(shown[-1].fact_seq)} if rest else {}
    more = link(f"{len(rest):,} earlier versions", "/versions", **earlier) if rest else None
    how = "A version is a recipe: with these parts it can be made again, bit for bit."
    return Page(
        f"Versions of {known.name}",
        joined(
            [
                tag("p", link(known.name, "/model", name=known.name)),
                tag("p", how, class_="quiet"),
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
    figures = ", ".join(
        f"{called.replace('_', ' ')} {words.number(value)}"
        for called, value in sorted(recipe.metrics.items())
    )
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
        tag("p", words.capital(figures)) if figures else None,
        tag("details", tag("summary", "Recipe"), _recipe(known, version),
            id=f"recipe-{version.version_id}"),
        tag("p", promote) if promote else None,
        class_="card",
    )  # fmt: skip


def _tried(recipe: ModelUpdated) -> str | None:
    result = recipe.test_set
    if result is None:
        return None
    floor = "" if result.floor is None else f", the floor is {words.number(result.floor)}"
    return f"accuracy {words.number(result.value)} on {result.name}{floor}"


def _recipe(known: ModelState, version: Version) -> Html:
    recipe = version.recipe
    parent = known.versions.get(recipe.parent or "")
    first, last = recipe.offsets
    pairs: list[tuple[str, Content]] = [
        ("Version id", version.version_id),
        ("Parent", parent.name if parent else recipe.parent),
        ("Specification", recipe.spec_hash),
        ("Journal offsets", f"{first:,} to {last:,}"),
        ("Seeds", canonical(recipe.seeds).decode() if recipe.seeds else None),
        ("State hash", recipe.state_hash),
        ("Test set", _tried(recipe)),
        ("Code", recipe.code),
        ("Environment", ", ".join(f"{k} {v}" for k, v in sorted(recipe.environment.items()))),
        ("Artifact", f"{recipe.artifact.bytes:,} bytes, sha256 {recipe.artifact.sha256}"),
        ("Fact", f"{version.fact_seq:,}"),
    ]
    return facts(pairs)
