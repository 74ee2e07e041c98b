"""The demo's specification, and the rows that it learns from, as an operator would write them."""

import csv
from pathlib import Path

from driftline.demo import segments

ROWS = "known.csv"
SOFTMAX = """\
    - class: preprocessing.StandardScaler
    - class: linear_model.SoftmaxRegression
      parameters: {optimizer: {class: optim.SGD, parameters: {lr: 0.01}}}
"""
TREE = """\
    - class: tree.HoeffdingAdaptiveTreeClassifier
      parameters: {seed: 1}
"""
LEARNING = f"""\
pipelines:
  frozen:
{SOFTMAX}  softmax:
{SOFTMAX}  tree:
{TREE}champion: frozen
train:
  frozen: {{file: {ROWS}, passes: 20, seed: SEED}}
warm:
  softmax: {{file: {ROWS}}}
  tree: {{file: {ROWS}}}
version_every: 50
follow: true
"""


def write_spec(folder: Path, *, learns: bool, seed: int) -> Path:
    """The known rows as CSV and the specification beside them. Without `learns` it only watches a
    model that is served outside."""
    known = segments.rows()[: segments.KNOWN_ROWS]
    names = list(known[0][0])
    with (folder / ROWS).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "class"])
        writer.writerows([[*features.values(), label] for features, label in known])
    features = "\n".join(f"  - {{name: {name}, kind: numeric}}" for name in names)
    spec = folder / f"{segments.MODEL}.yaml"
    spec.write_text(
        f"model: {segments.MODEL}\ntask: multiclass\nfeatures:\n{features}\n"
        f"reference: {{file: {ROWS}, label: class}}\n"
        + (LEARNING.replace("SEED", str(seed)) if learns else ""),
        encoding="utf-8",
    )
    return spec
