"""Tell of all figures in one page that opens offline, and write a card for each model.

The numbers in ``metrics/`` and the pictures in ``metrics/figures/`` in; ``metrics/report.html`` and
``models/<protocol>/<model>.md`` out. Searches are shown where they have been drawn.
"""

from stages.config import paths
from stages.config.params import MODELS, PROTOCOLS, Params
from stages.config.runner import run_stage
from stages.files.writing import replacing
from stages.reporting.model_card import model_card
from stages.reporting.report import report_page
from stages.reporting.results import read_results


def report(params: Params) -> None:
    """Write the report and the model cards."""
    results = read_results(params)
    pages = {paths.METRICS / "report.html": report_page(results)}
    for protocol in PROTOCOLS:
        for model in MODELS:
            pages[paths.MODELS / protocol / f"{model}.md"] = model_card(protocol, model, results)
    for path, text in pages.items():
        with replacing(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_stage(report)
