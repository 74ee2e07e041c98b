"""Does each view say what is known, to everybody, whatever things are called?"""

import re
from urllib.parse import quote, urlencode

import pytest
from structlog.testing import capture_logs

from driftline.api.folds import Folds
from driftline.api.page.alerts import alerts_page
from driftline.api.page.drift import DRAWN, drift, judged, judged_scope
from driftline.api.page.health import health, open_alerts
from driftline.api.page.layout import Reader, document
from driftline.api.page.overview import overview
from driftline.api.roles import Role
from driftline.core.monitoring.performance import month_end, month_start
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import encode
from driftline_schemas.registry import LearningMetric
from driftline_schemas.spec import Feature
from driftline_schemas.topics import ALERTS, LEARNING_METRICS
from driftline_schemas.verdicts import Result
from tests.page.serving import rig_of
from tests.page.story import EVIL, SWAPPED, Story, wire_of
from tests.unit.api.page.test_markup import Read, read
from tests.unit.api.rig import Rig
from tests.unit.core.registry.book import START


def model(name: str, path: str = "/model", **more: str) -> str:
    return f"{path}?{urlencode({'name': name, **more})}"


def alert_of(rig: Rig, name: str, check: str) -> str:
    found = next(a for a in rig.folds.alerts.values() if (a.model, a.check) == (name, check))
    return f"/alert?id={found.alert_id}"


def all_views(rig: Rig) -> list[str]:
    """Every page that there is to look at."""
    version = next(iter(rig.folds.registry.models[EVIL].versions))
    drifts = [model(EVIL, "/feature", feature=f.name) for f in features_of(rig, EVIL)]
    return [
        "/", "/?q=%3Cimg", "/alerts", f"/alerts?model={quote(EVIL)}",
        alert_of(rig, "segments", "data"), alert_of(rig, EVIL, "data"),
        *(model(name) for name in [*rig.folds.registry.models, "nobody's model"]),
        model("segments", window="1000", drift="1000"), model("segments", window=EVIL, drift=EVIL),
        model("segments", "/versions"), model(EVIL, "/versions"),
        model("segments", "/feature", feature="hue-mean"), *drifts,
        model("segments", "/feature", feature="prediction"),
        model(EVIL, "/promote", version=version), model("segments", "/rollback"),
        model(EVIL, "/rollback"), "/model?name=none", "/nowhere", model("none", "/promote"),
    ]  # fmt: skip


def features_of(rig: Rig, name: str) -> list[Feature]:
    spec = rig.folds.registry.models[name].spec
    assert spec is not None
    return list(spec.body.spec.features)


async def page(rig: Rig, path: str, status: int = 200) -> str:
    answer = await rig.ask("GET", path)
    assert answer.status_code == status, (path, answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def text(html: str) -> str:
    return re.sub(r"\s+", " ", read(html).text)


async def test_every_view_is_sound(told: Rig) -> None:
    for path in all_views(told):
        answer = await told.ask("GET", path)
        assert answer.status_code in (200, 404, 422), path
        found = read(answer.text)
        names = [name for name, _ in found.tags]
        assert names.count("h1") == names.count("main") == 1, path
        assert {"img", "iframe", "style"}.isdisjoint(names), path
        assert_nothing_inline(found, path)
        assert_everything_is_named(found, path)


def assert_nothing_inline(found: Read, path: str) -> None:
    """Nothing that the policy would refuse, and nothing from elsewhere."""
    assert [name for name, _ in found.tags].count("script") <= 1, path
    for name, attributes in found.tags:
        for key, value in attributes:
            assert key != "style", (path, name)
            assert not key.startswith("on"), (path, name, key)
            if key in ("href", "src", "action"):
                assert (value or "").startswith(("/", "#")), (path, value)
                assert not (value or "").startswith("//"), (path, value)


def assert_everything_is_named(found: Read, path: str) -> None:
    """For those who hear the page: charts, fields and lists have names; ids are unique."""
    ids = [value for _, attributes in found.tags for key, value in attributes if key == "id"]
    assert len(ids) == len(set(ids)), path
    labels = {dict(a).get("for") for name, a in found.tags if name == "label"}
    for name, attributes in found.tags:
        given = dict(attributes)
        if name == "svg":
            assert given.get("aria-hidden") == "true" or given.get("aria-label"), path
        if name in ("input", "select", "textarea") and given.get("type") != "hidden":
            assert given["id"] in labels, (path, given)
        if name == "section" and "aria-labelledby" in given:
            assert given["aria-labelledby"] in ids, path


async def test_what_somebody_called_an_image_shows_as_text(told: Rig) -> None:
    for path in (
        "/",
        model(EVIL),
        "/alerts",
        alert_of(told, EVIL, "data"),
        model(EVIL, "/versions"),
    ):
        html = await page(told, path)
        assert EVIL not in html
        assert EVIL in read(html).text
        assert "alert(2)" not in html or "&lt;script&gt;alert(2)" in html


async def test_the_overview_says_how_each_model_is_the_worst_first(told: Rig) -> None:
    html = await page(told, "/")
    assert "6 models: 2 with an incident, 1 waiting, 1 not watched, 2 healthy" in text(html)
    assert text(html).index("churn") < text(html).index("credit/eu") < text(html).index("segments")
    assert "Mean absolute error 48" in text(html)
    assert "1 of 4 features drifted from the reference over 260 predictions" in text(html)


async def test_the_overview_finds_a_model(told: Rig) -> None:
    html = text(await page(told, "/?q=SEG"))
    assert ("segments" in html, "churn" in html) == (True, False)
    assert "No model has nothing-like-it in its name" in text(
        await page(told, "/?q=nothing-like-it")
    )


def test_an_empty_installation_says_what_to_do() -> None:
    empty = Folds()
    for shown in (overview(empty), alerts_page(empty, None)):
        assert document(shown, Reader(Role.viewer), "1")
    assert "driftline apply model.yaml" in overview(empty).body


async def test_a_model_tells_its_story(told: Rig) -> None:
    said = text(await page(told, model("segments")))
    assert "No drift in 16 features" in said
    assert "hat/v3 took over: gate by learner" in said
    assert "sm/v1 took over: rollback by page:ann, “the upstream columns are repaired”" in said
    assert "Data drift until 2026-09-21 17:39:20" in said
    assert "Held hat (by page:ann)" in re.sub(r"Held", "Held ", said).replace("  ", " ")
    assert "2 confirmed, 1 pending" in said
    assert "Gain -0.042" in said


async def test_the_worst_features_come_first(told: Rig) -> None:
    said = text(await page(told, model("segments")))
    drift = said[said.index("Drift by feature") :]
    swapped = max(drift.index(name) for name in SWAPPED)
    assert swapped < drift.index("vedge-sd")


async def test_each_chart_has_a_table(told: Rig) -> None:
    html = await page(told, model("segments"))
    captions = re.findall(r"<caption>(.*?)</caption>", html)
    assert captions == [
        "Figures by window, the newest first",
        "The newest window, feature by feature",
        "Gate of lr, newest first",
        "Gate of hat, newest first",
    ]


def test_one_feature_is_judged_as_among_all(told: Rig) -> None:
    for target in (None, "1000"):
        chosen, scopes = judged(told.folds, "segments", target)
        assert scopes
        for each in scopes:
            alone = judged_scope(told.folds, "segments", each.result.scope, target)
            assert repr(alone) == repr((chosen, each))  # an effect may be NaN
    assert judged_scope(told.folds, "segments", "none", None)[1] is None
    assert judged_scope(told.folds, "no model", "none", None)[1] is None


def test_of_many_features_the_worst_are_drawn_and_all_are_in_the_table() -> None:
    story = Story()
    names = [f"f{number}" for number in range(DRAWN + 20)]
    spec = story.apply(wire_of("m", names), None)
    results = [
        Result(scope=name, statistic="chi_square", effect=place / 1_000, outcome="ok", reason="r")
        for place, name in enumerate(names)
    ]
    story.judged(spec, 200, (START, START + 1_000, 200), results, "v1")
    html = drift(story.folds, "m", None)
    assert html.count('class="tile"') == DRAWN
    assert f"Drawn are the worst {DRAWN}." in html
    assert html.count("<tr>") == len(names) + 1
    assert "feature=f0&" not in html.partition("<table")[0]
    assert f"feature={names[-1]}&" in html.partition("<table")[0]


async def test_windows_of_another_size_can_be_chosen(told: Rig) -> None:
    small = await page(told, model("segments", window="200", drift="200"))
    large = await page(told, model("segments", window="1000", drift="1000"))
    assert small.count('class="coverage"') == 72
    assert large.count('class="coverage"') == 14


async def test_a_regression_shows_its_error_and_no_percent(told: Rig) -> None:
    html = await page(told, model("bike demand"))
    assert "Mean absolute error over time" in html
    assert "nothing of ours: the model is served outside" in html
    assert "Roll back" not in html


async def test_a_feature_says_that_the_current_counts_are_not_known(told: Rig) -> None:
    html = await page(told, model("segments", "/feature", feature="hue-mean"))
    assert "does not carry the counts of its window" in html
    assert html.count('class="bar"') == 22
    assert "bar now" not in html


def judged_by_month() -> Story:
    """Four predictions and their labels: no block is judged yet."""
    story = Story()
    spec = story.apply(wire_of("m", ["x"]), None)
    start = month_start(START)
    story.scored(spec, "month", start, month_end(start), 4, 0.75, 1.0, "v1")
    return story


async def test_a_month_that_goes_on_is_no_health_yet() -> None:
    rig = rig_of(judged_by_month())
    rig.folds.not_ready = None
    assert health(rig.folds, "m", ()).word == "Waiting"
    assert "newest 75 %" not in await page(rig, "/")
    html = await page(rig, model("m"))
    assert "Each is a calendar month, the newest so far." in text(html)
    assert "until" not in text(html)


async def test_an_alert_shows_its_cause_and_its_history(told: Rig) -> None:
    said = text(await page(told, alert_of(told, "segments", "data")))
    assert said.index("hue-mean") < said.index("rawblue-mean")
    assert "4,801" in said
    history = said[said.index("History") :]
    assert (
        history.index("Resolved")
        < history.index("Open, and worse")
        < history.index("5 of 16 features")
    )


async def test_alerts_of_one_model(told: Rig) -> None:
    said = text(await page(told, "/alerts?model=segments"))
    assert ("Alerts of segments" in said, "churn" in said) == (True, False)


def broken_pipeline() -> Story:
    story = Story()
    story.apply(wire_of("m", ["x"], pipelines={"a": []}), None)
    metric = LearningMetric(kind="metric", model="m", pipeline="a", at_offset=1, labels=1,
                            metrics={}, reason="its state is too large")  # fmt: skip
    story.folds.take(LEARNING_METRICS, encode(metric))
    return story


def test_a_broken_pipeline_needs_attention() -> None:
    how = health(broken_pipeline().folds, "m", ())
    assert (how.word, how.why) == ("Attention", ("Pipeline a is broken: its state is too large.",))


def test_the_critical_alert_is_told_first() -> None:
    story = Story()
    for check, severity in (("data", "error"), ("error", "critical")):
        story.alert("m", check, 1, [(1, "firing", f"a {check}", {"severity": severity})])
    alerts = open_alerts(story.folds)["m"]
    assert [alert.check for alert in alerts] == ["error", "data"]
    assert health(story.folds, "m", alerts).level == "bad"


def test_a_retracted_alert_is_open_no_more() -> None:
    story = Story()
    story.alert("m", "floor", 1, [(1, "firing", "below", {}), (2, "retracted", "it was not", {})])
    assert open_alerts(story.folds) == {}
    (alert,) = story.folds.alerts.values()
    assert isinstance(alert, Alert)
    assert "retracted" in alerts_page(story.folds, None).body


async def test_nothing_new_is_not_drawn_again(told: Rig) -> None:
    first = await told.ask("GET", model("segments"))
    again = await told.ask(
        "GET", model("segments"), headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.text) == (304, "")
    assert first.headers["cache-control"] == "no-store"


async def test_something_new_is_drawn_again() -> None:
    rig = rig_of(broken_pipeline())
    rig.folds.not_ready = None
    headers = {"If-None-Match": (await rig.ask("GET", "/")).headers["etag"]}
    assert (await rig.ask("GET", "/", headers=headers)).status_code == 304
    rig.folds.take(ALERTS, encode(next(iter(_alerts()))))
    assert (await rig.ask("GET", "/", headers=headers)).status_code == 200


def _alerts() -> list[Alert]:
    story = Story()
    story.alert("m", "data", 1, [(1, "firing", "drift", {})])
    return list(story.folds.alerts.values())


async def test_before_the_topics_are_read_a_page_says_so() -> None:
    rig = rig_of(broken_pipeline())
    rig.folds.not_ready = "the registry is not read yet"
    assert "Not ready: the registry is not read yet." in await page(rig, "/", 503)


async def test_a_fault_of_ours_is_a_page_that_shows_nothing_of_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = rig_of(broken_pipeline())
    rig.folds.not_ready = None
    monkeypatch.setattr(rig.folds, "history", None)
    with capture_logs():  # else the traceback is drawn, with all that the story holds
        html = await page(rig, "/", 500)
    assert "An unexpected error" in html
    assert "NoneType" not in html


@pytest.mark.parametrize("name", ["page.css", "page.js", "icon.svg"])
async def test_files_may_be_kept_by_browsers(told: Rig, name: str) -> None:
    html = await page(told, "/")
    (address,) = re.findall(rf"/static/{re.escape(name)}\?v=[0-9a-f]{{12}}", html)
    answer = await told.ask("GET", address)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


@pytest.mark.parametrize("name", ["none.js", "..%2Fmarkup.py", "%2e%2e%2fmarkup.py"])
async def test_no_other_file_is_served(told: Rig, name: str) -> None:
    assert (await told.ask("GET", f"/static/{name}")).status_code == 404
