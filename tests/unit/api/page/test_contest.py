"""Does a model's page tell who serves, who challenges, and what a gate decided?"""

import re

from tests.page.serving import rig_of
from tests.page.story import Story, wire_of
from tests.unit.api.page.test_views import model, page, text
from tests.unit.core.registry.book import START


def gates_and_a_takeover() -> Story:
    """`a` serves first; the gate lets `b` take over, and then judges `a` again."""
    story = Story()
    spec = story.apply(wire_of("m", ["x"], pipelines={"a": [], "b": []}, champion="a"), None)
    story.version(spec, "a", 1, 1)
    better = story.version(spec, "b", 1, 2)
    for n in (100, 300):
        story.gate("m", "b", n, 0.2, "continue")
    gate = {
        "model": "m", "challenger": "b", "champion": "a", "version_id": better, "n": 400, "j": 1,
        "k": 1, "mean": 0.2, "variance": 0.2, "lower": 0.1, "upper": 0.3, "alpha": 0.01, "r": 0.128,
        "least_gain": 0.03, "metric": "accuracy", "deployment_seq": 1, "since": START,
        "verdict": "promote",
    }  # fmt: skip
    story.decide("gate_evaluated", gate, 3, actor="learner", reason="b against a")
    story.gate("m", "a", 50, -0.1, "no_data")
    story.scored(spec, "200", START, START + 1, 200, 0.9, 1.0, better)
    return story


async def test_what_serves_is_no_challenger_and_its_gate_says_what_it_decided() -> None:
    rig = rig_of(gates_and_a_takeover())
    rig.folds.not_ready = None
    said = text(await page(rig, model("m")))
    section = said[said.index("Challengers") : said.index("Decisions")]
    assert section.index("a ○ not enough pairs yet") < section.index("b ● serves")
    assert "b ● proven better" not in section
    assert "As a challenger it was proven better. Gain +0.200" in section
    assert "Gate: b is proven better, b/v1 serves by learner" in said


async def test_figures_name_the_version_and_not_its_hash() -> None:
    story = gates_and_a_takeover()
    rig = rig_of(story)
    rig.folds.not_ready = None
    html = await page(rig, model("m"))
    (row,) = [r for r in re.findall("<tr>.*?</tr>", html) if "are labelled" in r]
    assert "<td>b/v1</td>" in row
    assert "200 predictions by b/v1" in html
