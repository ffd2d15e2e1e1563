"""What a page promises before any browser opens it."""

from html.parser import HTMLParser

import pytest

from stages.reporting.page import Listing, Picture, Section, Shown, Table, Text, page

HOSTILE = """"'><script>alert(1)</script>{{ 7 * 7 }}"""


class Elements(HTMLParser):
    """The elements of a page, each as its tag, its attributes and the text directly in it."""

    def __init__(self, html):
        super().__init__()
        self.all = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.all.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.all:
            self.all[-1][2] += data

    def of(self, *tags):
        return [(attrs, text.strip()) for tag, attrs, text in self.all if tag in tags]


def page_of(*blocks, title="Scores"):
    return page("A page", ["A lead."], [Section(title, blocks)])


def cells(*values, digits=3):
    """The cells of the one row of a table, its header first."""
    table = Table("A table", ["name", *map(str, range(len(values)))], [("row", *values)], digits=digits)
    return Elements(page_of(table)).of("td")


def test_every_text_is_escaped(png):
    blocks = [
        Table(HOSTILE, [HOSTILE], [[HOSTILE]], note=HOSTILE),
        Picture(png, HOSTILE, HOSTILE),
        Text([HOSTILE]),
        Listing([(HOSTILE, HOSTILE)]),
    ]
    elements = Elements(page(HOSTILE, [HOSTILE], [Section(HOSTILE, blocks)], warning=HOSTILE))
    assert len(elements.of("script")) == 1
    assert "alert" not in elements.of("script")[0][1]
    values = [text for _, _, text in elements.all] + [value for _, attrs, _ in elements.all for value in attrs.values()]
    # Title, heading, warning, lead, link and heading of the section; 5 of the table, 2 each of picture and
    # listing, 1 of the text: each of them arrives as it was given.
    assert [value.strip() for value in values if value].count(HOSTILE) == 16


def test_what_is_not_defined_is_said_to_be_so():
    for missing in (None, float("nan")):
        html = page_of(Table("A table", ["name", "F1"], [("cnn", missing)]))
        assert '<span aria-hidden="true">–</span><span class="visually-hidden">not defined</span>' in html
        assert "nan" not in html.casefold()
        assert "data-value" not in Elements(html).of("td")[0][0]


def test_numbers_are_written_for_readers_and_kept_for_sorting():
    assert cells(49691, 0.68249, -0.0031) == [
        ({"class": "number", "data-value": "49691"}, "49,691"),
        ({"class": "number", "data-value": "0.68249"}, "0.682"),
        ({"class": "number", "data-value": "-0.0031"}, "-0.003"),
    ]
    assert cells(0.68249, 3, digits=1) == [
        ({"class": "number", "data-value": "0.68249"}, "0.7"),
        ({"class": "number", "data-value": "3"}, "3"),
    ]


def test_a_number_in_words_of_its_own_sorts_by_its_value():
    score = Shown(0.8093, "0.809 (0.271 to 0.958)")
    assert cells(score) == [({"class": "number", "data-value": "0.8093"}, "0.809 (0.271 to 0.958)")]
    for missing in (None, float("nan")):
        assert "not defined" in page_of(Table("A table", ["name", "F1"], [("cnn", Shown(missing, "-"))]))


def test_what_rounds_to_zero_has_no_sign():
    assert [text for _, text in cells(-0.0004, 0.0004, -0.0006)] == ["0.000", "0.000", "-0.001"]


def test_text_that_looks_like_a_number_stays_text():
    assert cells("0100") == [({"class": "short"}, "0100")]
    assert cells("0100, and words that may break over lines") == [({}, "0100, and words that may break over lines")]


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match=r"'Scores': row 2 has 3 cells for 2 columns"):
        Table("Scores", ["model", "F1"], [("cnn", 0.5), ("rnn", 0.5, 0.6)])


def test_headers_have_a_scope(sample, sections):
    headers = Elements(sample).of("th")
    tables = [block for section in sections for block in section.blocks if isinstance(block, Table)]
    scopes = [attrs["scope"] for attrs, _ in headers]
    assert scopes.count("col") == sum(len(table.columns) for table in tables)
    assert scopes.count("row") == sum(len(table.rows) for table in tables)


def test_a_table_can_be_reached_by_keyboard_and_by_name(sample):
    regions = [attrs for attrs, _ in Elements(sample).of("div") if attrs.get("role") == "region"]
    assert len(regions) == len(Elements(sample).of("caption")) == 2
    assert all(region["tabindex"] == "0" and region["aria-label"] for region in regions)


def test_a_picture_has_the_size_its_header_gives(png):
    picture = Picture(png, "A caption", "What is seen")
    assert picture.size == (660, 440)
    [(attrs, _)] = Elements(page_of(picture)).of("img")
    assert (attrs["width"], attrs["height"], attrs["alt"]) == ("660", "440", "What is seen")


def test_a_wide_picture_can_be_reached_by_keyboard_and_by_name(png, wide_png):
    regions = [attrs for attrs, _ in Elements(page_of(Picture(png, "A", "a"), Picture(wide_png, "B", "b"))).of("div")]
    assert [attrs["aria-label"] for attrs in regions if attrs.get("tabindex") == "0"] == ["B"]


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(40), b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_not_a_png_is_refused(data):
    with pytest.raises(ValueError, match="'Curves': the bytes are not a PNG"):
        Picture(data, "Curves", "Curves")


def test_nothing_is_loaded_from_elsewhere(sample):
    elements = Elements(sample)
    assert all(attrs.get("src", "data:").startswith("data:") for _, attrs, _ in elements.all)
    assert all(attrs["href"].startswith(("#", "data:")) for _, attrs, _ in elements.all if "href" in attrs)
    assert all(attrs["href"].startswith("#") for attrs, _ in elements.of("a"))
    assert "http://" not in sample
    assert "https://" not in sample


def test_the_policy_admits_only_what_the_page_holds(sample):
    [policy] = [attrs["content"] for attrs, _ in Elements(sample).of("meta") if "http-equiv" in attrs]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    assert "style=" not in sample
    assert "onclick=" not in sample


def test_headings_and_ids_are_unique_and_every_link_has_its_target(sample, sections):
    elements = Elements(sample)
    ids = [attrs["id"] for _, attrs, _ in elements.all if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert len(elements.of("h1")) == 1
    assert [text for _, text in elements.of("h2")] == [section.title for section in sections]
    assert {attrs["href"] for attrs, _ in elements.of("a")} == {f"#{name}" for name in ids}


def test_the_id_of_a_section_comes_from_its_title_alone():
    assert Section("Curves & matrices (DS2)", []).slug == "curves-matrices-ds2"


@pytest.mark.parametrize("titles", [("Scores", "scores!"), ("…",)])
def test_a_section_without_an_id_of_its_own_is_refused(titles):
    with pytest.raises(ValueError, match="an id of its own"):
        page("A page", [], [Section(title, []) for title in titles])


def test_notices_stand_below_the_warning():
    sections = [Section("A section", [Text(["Words."])])]
    elements = Elements(page("A page", [], sections, "No device.", ["Look <here>.", "And there."]))
    assert [text for about, text in elements.of("p") if about.get("class") == "warning"] == [
        "No device.", "Look <here>.", "And there."
    ]  # fmt: skip


def test_a_warning_is_there_only_when_it_is_given(sample):
    assert ({"class": "warning", "role": "note"}, "SYNTHETIC data. Not a medical device.") in Elements(sample).of("p")
    assert 'role="note"' not in page_of(Text(["Words."]))


def test_two_columns_are_asked_for_by_section(sample):
    assert sample.count('class="blocks two"') == 1


def test_the_same_values_make_the_same_bytes(sections):
    first, second = (page("A page", ["A lead."], sections, warning="SYNTHETIC").encode() for _ in range(2))
    assert first == second
