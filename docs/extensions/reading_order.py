"""The order of the examples in the gallery."""

ORDER = (
    "plot_hub_by_name",
    "plot_reading_hubness",
    "plot_grid_search_beta",
    "plot_pipeline_labels",
    "plot_querybanks",
    "plot_which_helps_when",
    "plot_bank_and_sample",
    "plot_planted_hub",
    "plot_no_hubs",
    "plot_choose_normalizer",
    "plot_text_to_image",
    "plot_bilingual_lexicon",
    "plot_faiss_index",
)


class ReadingOrder:
    """Sort the files of examples by their place in `ORDER`."""

    def __init__(self, directory):
        self.directory = directory

    def __call__(self, filename):
        return ORDER.index(filename.removesuffix(".py"))  # must list every example
