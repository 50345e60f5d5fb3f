"""From what `make bench` and `make soak` measured to what they say of it."""

from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from bench.bounds import bounds
from bench.document import Held, assemble, held, write_part
from bench.plots import bars, lines
from bench.samples import Samples
from bench.soak_report import Ending, Sample, SoakReport
from bench.tables import OURS, Row, table
from bench.trend import trend
from bench.upstream import EventMaker
from tests.event_frames import decode_frames


def test_a_table_compares_within_each_round() -> None:
    """Two rounds, the second twice as slow for all: the ratio is that of either round."""
    samples = Samples()
    for slowness in (1.0, 2.0):
        samples.add("straight", "calls 1 ", {"per_second": 1000 / slowness, "took_p50_ms": 1 * slowness})
        samples.add("Outcrop, SQLite", "calls 1 ", {"per_second": 250 / slowness, "took_p50_ms": 4 * slowness})
    rows = [
        Row("calls per second", "calls 1 per_second"),
        Row("least to most", "calls 1 per_second", 0, "range"),
        Row("times straight's", "calls 1 per_second", 2, "times", "straight"),
        Row("added", "calls 1 took_p50_ms", 3, "added", "straight"),
        Row("of nobody", "calls 1 cpu_us"),
    ]

    lines_ = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(samples, rows, OURS[:1]).splitlines()]

    assert lines_[2:] == [
        ["calls per second", "188"],
        ["least to most", "125 to 250"],
        ["times straight's", "0.25"],
        ["added", "4.500"],
    ]


@pytest.mark.parametrize(("cpu_us", "holds"), [(999.0, True), (1000.0, True), (1001.0, False)])
def test_a_bound_holds_up_to_its_number(cpu_us: float, holds: bool) -> None:
    samples = Samples()
    samples.add("Outcrop, SQLite", "calls 32 ", {"cpu_us": cpu_us})

    [found] = bounds(samples)

    assert found.holds == holds


def test_a_bound_on_complete_streams_looks_at_every_round() -> None:
    samples = Samples()
    for failed in (0.0, 1.0, 0.0):
        samples.add("Outcrop, SQLite", "streams 1000 ", {"failed": failed})

    assert [(one.measured, one.holds) for one in bounds(samples)] == [("1 incomplete in 3", False)]


def test_results_are_put_together_from_their_parts(tmp_path: Path) -> None:
    """Bench first, then by name; what must hold of all of them in one table at the top."""
    write_part(
        "soak-sqlite", f"## Soak\n\nBefore.\n\n{held([Held('flat', '3', holds=False)])}\n\nAfter.", folder=tmp_path
    )
    write_part(
        "bench", f"## Bench\n\n{held([Held('fast', '1 ms', holds=True)])}\n", {"a.svg": "<svg/>"}, folder=tmp_path
    )

    text = (tmp_path / "RESULTS.md").read_text()

    assert "|---|---|---|\n| fast | 1 ms | yes |\n| flat | 3 | **no** |\n" in text
    assert text.index("## Bench") < text.index("## Soak")
    assert text.count("| flat |") == 1
    assert "Before.\n\nAfter.\n" in text
    assert (tmp_path / "results" / "a.svg").read_text() == "<svg/>"


def test_a_part_written_again_takes_the_place_of_what_it_was(tmp_path: Path) -> None:
    write_part("bench", "## Old", folder=tmp_path)
    write_part("bench", "## New", folder=tmp_path)
    assemble(tmp_path)

    text = (tmp_path / "RESULTS.md").read_text()

    assert "## New" in text
    assert "## Old" not in text


def test_a_steady_number_has_no_trend_and_a_growing_one_has() -> None:
    """Both with noise of ten times what the second grows by from point to point."""
    noise = [0.0, 7.0, -4.0, 10.0, -9.0, 2.0, -6.0, 5.0]
    steady = [(float(x), 1000 + noise[x % 8]) for x in range(200)]
    growing = [(x, y + x) for x, y in steady]

    assert not trend(steady).rises
    assert trend(growing).rises
    assert trend(growing).slope == pytest.approx(1.0, abs=0.05)


def test_a_trend_is_not_moved_by_one_leap() -> None:
    found = trend([(float(x), 1e6 if x == 5 else 3.0 * x) for x in range(20)])

    assert found.slope == pytest.approx(3.0)


@pytest.mark.parametrize(("rows", "descriptors", "good"), [(100, 43, True), (99, 40, False), (100, 44, False)])
def test_a_soak_is_good_when_all_holds(rows: int, descriptors: int, good: bool) -> None:
    samples = [_sample(float(x), 40 if x < 15 else descriptors) for x in range(30)]
    ending = Ending(100, 0, "", rows, tickets=0, held=0, in_flight=0, disagreements=(), worker_lived=True)

    assert SoakReport("SQLite", samples, ending, 0.0, 50, 50).good == good


def test_pictures_are_well_formed_and_show_every_name() -> None:
    for picture in (
        bars("<Bars>", {"straight & narrow": 20_000.0, "LiteLLM": 45.0}),
        lines("Lines", "streams", {"straight & narrow": [(100, 0.3), (1000, 40.0)], "LiteLLM": []}, logarithmic=True),
        lines("Flat", "minutes", {"straight & narrow": [(0.0, 0.0), (1.0, 0.0)], "LiteLLM": [(1.0, 2.0)]}),
    ):
        texts = [node.text for node in fromstring(picture).iter() if node.tag.endswith("text")]

        assert {"straight & narrow", "LiteLLM"} <= set(texts)


def test_an_event_of_the_stand_in_is_one_that_sdks_read() -> None:
    chunk = EventMaker().now()

    size, _, rest = chunk.partition(b"\r\n")
    [frame] = decode_frames(rest.removesuffix(b"\r\n"))
    assert len(rest) - 2 == int(size, 16)
    assert b'"sent": "0' in frame.payload


def _sample(seconds: float, descriptors: int) -> Sample:
    return Sample(seconds, 100.0, descriptors, 3, 0, 0, 0, 0, 0, 1.0, 1.0)
