"""A plot is inline SVG: the same bytes, no links, unique ids, colours of the page."""

import re

from psyllm.evaluate.losses import Curves
from psyllm.evaluate.plots import loss_plot

TRAIN = tuple((step, 8 - step / 20) for step in range(0, 80, 5))
DEV = tuple((step, 8.2 - step / 20) for step in range(20, 80, 20))
CURVES = Curves("adapt", TRAIN, DEV)


def test_it_is_the_same_bytes_twice():
    assert loss_plot(CURVES) == loss_plot(CURVES)


def test_it_is_one_element_without_links_dates_or_fixed_size():
    plot = loss_plot(CURVES)
    assert plot.startswith("<svg ")
    assert plot.endswith("</svg>")
    assert plot.count("<svg") == 1
    assert "http" not in plot
    assert "xmlns" not in plot
    assert not re.search(r"<svg[^>]* width=", plot)


def test_its_colours_are_those_of_the_page():
    plot = loss_plot(CURVES)
    assert {"var(--train)", "var(--dev)", "var(--soft)", "var(--rule)"} <= set(
        re.findall(r"var\(--\w+\)", plot)
    )
    assert not re.search(r"#[0-9a-f]{6}\b", plot)


def test_ids_of_two_plots_never_meet_and_every_reference_is_kept():
    plots = [loss_plot(CURVES), loss_plot(CURVES._replace(stage="answer"))]
    ids = [re.findall(r'\bid="([^"]+)"', plot) for plot in plots]
    assert not set(ids[0]) & set(ids[1])
    for plot, known in zip(plots, ids, strict=True):
        used = re.findall(r'(?:href="#|url\(#)([^")]+)', plot)
        assert used
        assert set(used) <= set(known)
        assert len(known) == len(set(known))


def test_the_plots_of_two_models_share_no_id_and_name_their_model():
    plots = [loss_plot(CURVES, model) for model in ("model-a", "model-b")]
    ids = [set(re.findall(r'\bid="([^"]+)"', plot)) for plot in plots]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert 'aria-label="model-b, adapt: loss' in plots[1]


def test_it_says_in_words_what_it_shows():
    label = re.search(r'aria-label="([^"]+)"', loss_plot(CURVES)).group(1)
    assert "train 8.000 at step 0 to 4.250 at step 75" in label
    assert "dev 7.200 at step 20 to 5.200 at step 60" in label


def test_a_stage_without_dev_loss_is_drawn_too():
    assert "var(--train)" in loss_plot(Curves("adapt", TRAIN, ()))
    assert "var(--dev)" in loss_plot(Curves("adapt", (), DEV))
