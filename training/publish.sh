#!/usr/bin/env bash
# publish.sh WORK: puts what train.sh left in WORK (export, state/log.csv) into models/, with figures and cards.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
work=$(cd "${1:?usage: publish.sh WORK}" && pwd)
cd "$repository"
portable() { dotnet run --no-build -c Release --project Cli -- "$@"; }
dotnet build Cli -c Release -v quiet --nologo

rm -rf models/tiny-vl models/tiny-vl-awq
mkdir -p models
cp -r "$work/export" models/tiny-vl
portable quantize models/tiny-vl -o models/tiny-vl-awq --group-size 32 --include-vision
for model in tiny-vl tiny-vl-awq; do
  portable eval --suite evals/imageqa --model "models/$model" --json > "models/$model/figures.json"
done

python3 - "$work/state/log.csv" <<'PY'
import csv, json, sys

def load(model):
    with open(f"models/{model}/figures.json") as f:
        return json.load(f)

def share(scores):
    asked = sum(s["asked"] for s in scores)
    return f"{100 * sum(s['right'] for s in scores) / asked:.1f} %" if asked else "-"

def table(report):
    rows = [["exact match", *report["languages"], "all", "questions"]]
    categories = list(dict.fromkeys(s["category"] for s in report["scores"]))
    for category in categories + [None]:
        own = [s for s in report["scores"] if category is None or s["category"] == category]
        rows.append([category or "all", *(share([s for s in own if s["language"] == l]) for l in report["languages"]), share(own), str(sum(s["asked"] for s in own))])
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return "".join("  ".join(c if i == len(r) - 1 else c.ljust(widths[i]) for i, c in enumerate(r)).rstrip() + "\n" for r in rows)

plain, packed = load("tiny-vl"), load("tiny-vl-awq")
with open(sys.argv[1]) as f:
    log = list(csv.DictReader(f))
names = [n for n in log[0] if n not in ("step", "images", "seconds", "loss")]
state = ("By images seen (the running average of the weights, answers taken token by token in bfloat16):\n\n| images | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1) + "\n"
         + "".join(f"| {int(r['images']) // 1000} k | " + " | ".join(f"{100 * float(r[n]):.0f}" for n in names) + " |\n" for r in log)).rstrip()
loss = 100 * (plain["right"] - packed["right"]) / plain["asked"]
for model, values in (("tiny-vl", {"TABLE": table(plain), "STATE": state}),
                      ("tiny-vl-awq", {"TABLE": table(packed), "LOSS": f"That is {abs(loss):.1f} points {'less' if loss >= 0 else 'more'} than the 16-bit model overall ({packed['right']} against {plain['right']} of {plain['asked']} questions)."})):
    with open(f"training/cards/{model}.md") as f:
        text = f.read()
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    with open(f"models/{model}/README.md", "w") as f:
        f.write(text)
PY
