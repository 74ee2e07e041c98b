"""Strangers' names can neither ping anybody nor break out of their line."""

import pytest

from driftline.alerter.text import for_slack, number, plain

ZW = "\u200b"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("fraud-v1", "fraud-v1", id="harmless"),
        pytest.param("a < b & c > d", "a &lt; b &amp; c &gt; d", id="the three characters"),
        pytest.param("&lt;", "&amp;lt;", id="already escaped"),
        pytest.param("<!channel>", "&lt;!channel&gt;", id="a channel mention"),
        pytest.param("<@U024BE7LH>", f"&lt;@{ZW}U024BE7LH&gt;", id="a user mention"),
        pytest.param("@here", f"@{ZW}here", id="a bare mention"),
        pytest.param("<https://x.y|ok>", f"&lt;https:{ZW}//x.y|ok&gt;", id="a named link"),
        pytest.param("https://x.y", f"https:{ZW}//x.y", id="a bare link"),
        pytest.param('\n{"level":"error"}', '{"level":"error"}', id="a new line"),
        pytest.param("a\r\n\tb\u2028c", "a b c", id="kinds of white space"),
        pytest.param("\u202egnp.exe", "gnp.exe", id="right to left"),
        pytest.param("a\u200bb\u2066c\ufeff", "abc", id="invisible characters"),
        pytest.param("\x1b[31mred\x07", "[31mred", id="terminal codes"),
        pytest.param("größe 温度 🌡", "größe 温度 🌡", id="other scripts stay"),
        pytest.param("\x00\x01", "", id="nothing visible"),
    ],
)
def test_untrusted_text_is_made_harmless_for_slack(name: str, shown: str) -> None:
    assert for_slack(name, 100) == shown


@pytest.mark.parametrize("text", ["x" * 500, "&" * 500, "@" * 500, "x" * 148 + "&&&", "😀" * 300])
def test_the_limit_holds_after_escaping_and_no_entity_is_torn(text: str) -> None:
    shown = for_slack(text, 150)
    assert len(shown) <= 150
    assert shown.endswith("…")
    assert "&" not in shown.replace("&amp;", "")


def test_plain_text_is_cut_with_an_ellipsis() -> None:
    assert plain("x" * 11, 10) == "x" * 9 + "…"
    assert plain("x" * 10, 10) == "x" * 10


def test_numbers_are_short() -> None:
    assert [number(v) for v in (1_234_567, 0.412345, 1e-9, 2.0)] == [
        "1,234,567",
        "0.4123",
        "1e-09",
        "2",
    ]
