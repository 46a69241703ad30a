"""Open a release with plain `datasets` and print a row of each configuration.

Usage: python examples/open_release.py FOLDER
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from datasets import Audio, Image, load_dataset


def short(value: Any) -> str:
    """Return a value on one line, media as their size."""
    if isinstance(value, dict) and "bytes" in value:
        return f"{value['path']} ({len(value['bytes']):,} bytes)"
    text = " ".join(str(value).split())
    return text if len(text) <= 150 else f"{text[:147]}..."


def main(folder: str) -> None:
    """Print one row of each configuration of the release in a folder."""
    readme = (Path(folder) / "README.md").read_text("utf-8")
    header = yaml.safe_load(readme.split("---")[1])
    for config in header["configs"]:
        name = config["config_name"]
        loaded = load_dataset(folder, name)
        rows = {split: dataset.num_rows for split, dataset in loaded.items()}
        print(f"\n{name}: {rows}")
        dataset = next(iter(loaded.values()))
        # Bytes instead of decoded media: printing needs no audio decoder.
        for column, feature in dataset.features.items():
            if isinstance(feature, Audio | Image):
                dataset = dataset.cast_column(column, type(feature)(decode=False))
        for column, value in dataset[0].items():
            print(f"  {column}: {short(value)}")
    print(f"\nThe dataset is in {folder}: read its README.md first.")


if __name__ == "__main__":
    main(sys.argv[1])
