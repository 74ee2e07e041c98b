"""The forms by which a person promotes a version or rolls back, and what became of it."""

from dataclasses import dataclass
from shlex import quote
from typing import Final

from driftline.api.folds import Folds
from driftline.api.page import words
from driftline.api.page.layout import Page, Reader, address_of, facts, hidden, link
from driftline.api.page.markup import Content, Html, joined, tag
from driftline.api.page.timeline import name_of
from driftline.core.registry.models import ModelState
from driftline.core.registry.version_list import Version
from driftline_schemas.registry import Fact

MAX_REASON: Final = 1_000
MAX_ACTOR: Final = 190
SERVED: Final = 50  # earlier versions that a rollback offers


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody typed; it comes back with the sentence that says what was wrong."""

    reason: str = ""
    actor: str = ""
    to: str = ""
    problem: str | None = None
    status: int = 200


def promote_page(
    known: ModelState, version: Version, reader: Reader, key: str, given: Given
) -> Page:
    """Ask for the reason why this version shall serve."""
    name = version.name.removeprefix(f"{known.name}/")
    address = address_of("/promote", name=known.name, version=version.version_id)
    form = _form(address, f"Promote {name}", known, reader, key, given)
    why = "It serves at once, whatever its gate says. A hold of its lineage stays."
    return _page(f"Promote {name}", known, given, tag("p", why), _follows(known, version), form)


def rollback_page(folds: Folds, known: ModelState, reader: Reader, key: str, given: Given) -> Page:
    """Ask for the reason why an earlier version shall serve again, and for which."""
    address = address_of("/rollback", name=known.name)
    if not (choices := _choices(folds, known, given.to)):
        return _page("Roll back", known, given, tag("p", "Nothing served this model before."))
    choice = tag(
        "p",
        tag("label", "Back to", for_="to"),
        tag("select", *choices, id="to", name="to"),
    )
    form = _form(address, "Roll back", known, reader, key, given, choice)
    why = "The lineage that serves now is held: its gate promotes nothing until somebody lifts it."
    return _page("Roll back", known, given, tag("p", why), form)


def decided_page(folds: Folds, known: ModelState, fact: Fact | None, now: int) -> Page:
    """What a promotion or a rollback became; None: nothing yet."""
    back = tag("p", link(known.name, "/model", name=known.name))
    body = tag("section", *_became(folds, known, fact, now), id="decided", data_live=True)
    return Page("Your decision", joined([back, body]), here="/")


def _became(folds: Folds, known: ModelState, fact: Fact | None, now: int) -> list[Html]:
    if fact is None:
        return [tag("p", "The registry has not decided yet. It refuses what waits too long.")]
    pairs: list[tuple[str, Content]] = [
        ("Decision", words.ACTIONS.get(fact.action, fact.action)),
        ("By", fact.actor), ("Reason", fact.reason), ("When", words.moment(fact.at)),
        ("Fact", f"{fact.seq:,}"),
    ]  # fmt: skip
    if fact.outcome == "refused":
        said = words.capital(f"refused: {fact.body.get('why', '')}")
        return [tag("p", said, class_="problem"), facts(pairs)]
    name = fact.body.get("name", known.name)
    note = _follows(known, known.find(str(name))) if fact.action == "promote" else None
    said = tag("p", tag("b", f"{name} serves."))
    return [said, *([note] if note else []), facts([*pairs, *_scorers(folds, known, now)])]


def _follows(known: ModelState, version: Version | None) -> Html | None:
    """What becomes of a version whose lineage goes on by itself."""
    if version is None or not known.is_followed(version):
        return None
    return tag(
        "p",
        f"Newer versions of its lineage {version.lineage} follow by themselves (",
        tag("code", "follow: true"), "): ", tag("code", f"driftline hold {quote(known.name)}"),
        " keeps this one.",
    )  # fmt: skip


def _scorers(folds: Folds, known: ModelState, now: int) -> list[tuple[str, Content]]:
    """Which scorers serve it already."""
    found = folds.confirmations(known.name, now)
    if not (found.confirmed or found.pending or found.silent):
        return [("Scorers", "none of this model is known")]
    return [
        ("Scorers", "all serve it" if found.complete else "not all serve it yet"),
        ("Confirmed", ", ".join(found.confirmed) or None),
        ("Pending", ", ".join(found.pending) or None),
        ("Silent", ", ".join(found.silent) or None),
    ]


def _page(heading: str, known: ModelState, given: Given, *parts: Content) -> Page:
    problem = tag("p", given.problem, class_="problem", role="alert") if given.problem else None
    model = link(known.name, "/model", name=known.name)
    return Page(
        heading, joined([tag("p", "Of ", model), problem, *parts]), here="/", status=given.status
    )


def _form(
    address: str, done: str, known: ModelState, reader: Reader, key: str, given: Given,
    *more: Content,
) -> Html:  # fmt: skip
    seq = known.deployed.decided.fact_seq if known.deployed else 0
    return tag(
        "form",
        hidden("seal", reader.seal),
        hidden("key", key),
        hidden("expected_seq", seq),
        *more,
        tag("p", tag("label", "Reason", for_="reason"),
            tag("textarea", given.reason, id="reason", name="reason", rows=3, required=True,
                maxlength=MAX_REASON)),
        tag("p", tag("label", "Your name", for_="actor"),
            tag("input", id="actor", name="actor", value=given.actor, required=True,
                maxlength=MAX_ACTOR, autocomplete="username")),
        tag("p", tag("button", done, class_="strong"), link("Cancel", "/model", name=known.name),
            class_="links"),
        method="post",
        action=address,
        class_="change",
    )  # fmt: skip


def _choices(folds: Folds, known: ModelState, chosen: str) -> list[Html]:
    """What served before, the last one first; the registry knows which of them is meant by none."""
    serving = known.deployed.body.version_id if known.deployed else None
    served = [d.version_id for d in reversed(folds.history.decided(known.name).deployments)]
    default = known.promotions.earlier() or ""
    earlier = [v for v in dict.fromkeys(served) if v not in (serving, default)][:SERVED]
    options = []
    if default:
        before = name_of(folds, known.name, default)
        options = [tag("option", f"{before} (served before)", value="")]
    return options + [
        tag(
            "option", name_of(folds, known.name, version), value=version, selected=version == chosen
        )
        for version in earlier
    ]
