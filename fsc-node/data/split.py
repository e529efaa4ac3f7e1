#!/usr/bin/env python3
"""Makes the demo's three sites out of the Breast Cancer Wisconsin (Diagnostic) data.

    python3 split.py BREAST_CANCER_CSV [FOLDER]

BREAST_CANCER_CSV is `sklearn/datasets/data/breast_cancer.csv` of scikit-learn's wheel on PyPI (a zip file).
Writes site-a.csv, site-b.csv and site-c.csv. README.md beside this file says what they hold.
"""
import csv
import pathlib
import sys

# Column in scikit-learn's file, and its name in ours.
COLUMNS = {0: "mean_radius", 1: "mean_texture", 2: "mean_perimeter", 3: "mean_area", 20: "worst_radius"}
DIAGNOSIS = 30
# Rows of each site, in the order of the source.
SITES = {"site-a": 212, "site-b": 207, "site-c": 150}


def main(source, folder):
    with open(source, newline="") as file:
        header, *rows = csv.reader(file)
    samples, features, *classes = header
    if (samples, features, classes) != ("569", "30", ["malignant", "benign"]) or len(rows) != 569:
        sys.exit("this is not the file that scikit-learn ships: expected 569 rows, 30 features, malignant and benign")
    rows = iter(rows)
    for site, size in SITES.items():
        with open(folder / f"{site}.csv", "w", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["diagnosis", *COLUMNS.values()])
            for _ in range(size):
                row = next(rows)
                # The texts of the numbers are copied as they stand, so nothing is rounded on the way.
                out.writerow([classes[int(row[DIAGNOSIS])], *(row[column] for column in COLUMNS)])


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else pathlib.Path(__file__).parent)
