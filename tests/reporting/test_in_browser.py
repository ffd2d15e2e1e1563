"""The page as a reader meets it: opened from disk, offline, in headless Chromium."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from stages.reporting.page import Picture, Section, page
from tests.conftest import BROWSER
from tests.reporting.test_recording_page import sample_page

pytestmark = pytest.mark.browser

PHONE, DESKTOP = {"width": 320, "height": 640}, {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser():
    # Chromium's sandbox cannot be set up by root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(sample, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def tab(browser):
    """A blank tab without a network, which notes what it asks for and what it complains of."""
    context = browser.new_context(viewport=DESKTOP, offline=True)
    tab = context.new_page()
    tab.requests, tab.complaints = [], []
    tab.on("request", lambda request: tab.requests.append(request.url))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("console", lambda message: tab.complaints.append(message.text) if message.type in LOUD else None)
    yield tab
    context.close()


LOUD = {"error", "warning"}


@pytest.fixture
def opened(tab, address):
    tab.goto(address)
    return tab


def header(tab, name):
    return tab.get_by_role("columnheader", name=name, exact=True)


def names(tab):
    """The row headers of the first table, from top to bottom."""
    return tab.locator("table").first.locator("tbody th").all_inner_texts()


def fits(tab):
    return tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_it_opens_without_a_complaint_and_asks_for_nothing_else(opened, address):
    opened.get_by_role("button", name="F1 S").click()
    opened.wait_for_load_state("load")
    assert opened.complaints == []
    assert address in opened.requests
    assert all(url == address or url.startswith("data:") for url in opened.requests)


def test_the_policy_stops_a_foreign_script(tab, tmp_path, sample):
    path = tmp_path / "tampered.html"
    path.write_text(sample.replace("</body>", "<script>document.title = 'foreign'</script></body>"), encoding="utf-8")
    tab.goto(path.as_uri())
    assert tab.title() == "A report of SYNTHETIC heartbeats"
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)


def test_pictures_are_seen(opened):
    pictures = opened.get_by_role("img").all()
    assert len(pictures) == 3
    for picture in pictures:
        assert picture.evaluate("image => image.naturalWidth") == 660
        assert picture.bounding_box()["width"] > 100


def test_a_click_sorts_by_number_up_then_down_with_the_undefined_last(opened):
    button = opened.get_by_role("button", name="F1 S")
    assert names(opened) == ["cnn", "rnn", "ensemble", "majority"]
    button.click()
    assert names(opened) == ["majority", "cnn", "ensemble", "rnn"]
    assert header(opened, "F1 S").get_attribute("aria-sort") == "ascending"
    button.click()
    assert names(opened) == ["ensemble", "cnn", "majority", "rnn"]
    assert header(opened, "F1 S").get_attribute("aria-sort") == "descending"


def test_numbers_sort_by_value_whatever_their_length_or_sign(opened):
    opened.get_by_role("button", name="beats").click()
    assert names(opened) == ["majority", "ensemble", "rnn", "cnn"]
    opened.get_by_role("button", name="difference").click()
    assert names(opened) == ["rnn", "cnn", "ensemble", "majority"]


def test_only_the_last_column_sorted_by_says_so(opened):
    opened.get_by_role("button", name="F1 S").click()
    opened.get_by_role("button", name="model").click()
    assert names(opened) == ["cnn", "ensemble", "majority", "rnn"]
    assert header(opened, "F1 S").get_attribute("aria-sort") is None
    assert opened.locator("[aria-sort]").count() == 1


def test_enter_sorts_as_a_click_does(opened):
    button = opened.get_by_role("button", name="F1 S")
    button.focus()
    opened.keyboard.press("Enter")
    assert names(opened) == ["majority", "cnn", "ensemble", "rnn"]
    opened.keyboard.press("Enter")
    assert names(opened) == ["ensemble", "cnn", "majority", "rnn"]
    assert header(opened, "F1 S").get_attribute("aria-sort") == "descending"
    assert button.evaluate("button => button === document.activeElement")


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_page_never_scrolls_sideways(opened, viewport):
    opened.set_viewport_size(viewport)
    assert fits(opened)


def test_a_wide_table_scrolls_by_keyboard_within_its_own_frame(opened):
    opened.set_viewport_size(PHONE)
    region = opened.get_by_role("region", name="Confusion of classes")
    assert region.evaluate("region => region.scrollWidth > region.clientWidth")
    region.focus()
    opened.keyboard.press("ArrowRight")
    opened.wait_for_function("region => region.scrollLeft > 0", arg=region.element_handle())
    assert fits(opened)


def test_who_has_to_scroll_is_told_so(opened):
    hint = opened.get_by_text("Scroll sideways").first
    assert not hint.is_visible()
    opened.set_viewport_size(PHONE)
    hint.wait_for(state="visible")
    opened.emulate_media(media="print")
    assert not hint.is_visible()


def test_a_wide_picture_scrolls_on_a_phone_instead_of_shrinking(tab, tmp_path, wide_png):
    (tmp_path / "wide.html").write_text(page("SYNTHETIC", [], [Section("A", [Picture(wide_png, "Strips", "Beats.")])]))
    tab.set_viewport_size(PHONE)
    tab.goto((tmp_path / "wide.html").as_uri())
    assert tab.locator("img").bounding_box()["width"] > 800
    region = tab.get_by_role("region", name="Strips")
    region.focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("region => region.scrollLeft > 0", arg=region.element_handle())
    assert fits(tab)
    tab.emulate_media(media="print")
    assert tab.locator("img").bounding_box()["width"] <= PHONE["width"]


def test_two_pictures_stand_side_by_side_on_a_desktop_and_below_each_other_on_a_phone(opened):
    first, second = opened.locator(".two img").all()
    assert first.bounding_box()["y"] == second.bounding_box()["y"]
    opened.set_viewport_size(PHONE)
    assert first.bounding_box()["x"] == second.bounding_box()["x"]


def test_the_skip_link_is_the_first_stop_and_leads_past_the_contents(opened):
    opened.keyboard.press("Tab")
    skip = opened.get_by_role("link", name="Skip to the content")
    assert skip.evaluate("link => link === document.activeElement")
    assert skip.bounding_box()["y"] >= 0
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.activeElement.localName") == "main"
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.closest('main') !== null")


def test_paper_shows_every_table_whole_and_no_contents(opened):
    opened.set_viewport_size({"width": 700, "height": 1000})
    opened.emulate_media(media="print")
    assert not opened.get_by_role("navigation").is_visible()
    assert fits(opened)


def test_it_is_read_without_scripts_and_then_offers_no_sorting(browser, address):
    context = browser.new_context(java_script_enabled=False, offline=True)
    tab = context.new_page()
    tab.goto(address)
    assert names(tab) == ["cnn", "rnn", "ensemble", "majority"]
    assert tab.get_by_role("button").count() == 0
    context.close()


def test_the_committed_report_opens_without_a_network_or_a_complaint(tab):
    report = Path("metrics/report.html").resolve()
    tab.goto(report.as_uri())
    assert tab.complaints == []
    assert {url for url in tab.requests if not url.startswith("data:")} == {report.as_uri()}
    sizes = tab.locator("img").evaluate_all("imgs => imgs.map(i => [i.naturalWidth, i.width, i.height])")
    assert len(sizes) >= 30
    assert all(min(size) > 0 for size in sizes)
    assert report.stat().st_size <= 3_000_000
    tab.set_viewport_size(PHONE)
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


CLICK_EVERY_HEADER = """() => Array.from(document.querySelectorAll("thead th"), (header) =>
  ["ascending", "descending"].map((direction) => {
    header.querySelector("button").click();
    return [direction, Array.from(header.closest("table").tBodies[0].rows, (row) => {
      const cell = row.cells[header.cellIndex];
      return [cell.classList.contains("undefined"), cell.dataset.value ?? null, cell.textContent.trim()];
    })];
  }))"""


def test_every_column_of_the_committed_report_sorts_by_value_and_hides_no_number_in_text(tab):
    tab.goto(Path("metrics/report.html").resolve().as_uri())
    columns = tab.evaluate(CLICK_EVERY_HEADER)
    assert len(columns) > 50
    for direction, cells in (one for clicked_twice in columns for one in clicked_twice):
        values = [float(value) for _, value, _ in cells if value is not None]
        assert values == sorted(values, reverse=direction == "descending")
        undefined = [missing for missing, _, _ in cells]
        assert undefined == sorted(undefined)
        texts = [text for missing, value, text in cells if value is None and not missing]
        assert not [text for text in texts if re.match(r"[-−]?(\d+\.\d|$)", text)]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_page_of_a_recording_opens_as_well(tab, tmp_path, beat_format, size):
    path = tmp_path / "x1.html"
    path.write_text(sample_page(beat_format), encoding="utf-8")
    tab.set_viewport_size(size)
    tab.goto(path.as_uri())
    assert tab.complaints == []
    assert all(url == path.as_uri() or url.startswith("data:") for url in tab.requests)
    assert fits(tab)
    widths = tab.evaluate("Array.from(document.images, (image) => [image.naturalWidth, image.clientWidth])")
    assert len(widths) > 5
    assert all(natural > 500 and shown > 200 for natural, shown in widths)
