#!/usr/bin/env bash
# From ratings to another model: feedback → clean → corpus → train (prefer alone, on the model in use) → evaluate.
#   runs/ratings.sh [--data DIR] [--base NAME] [more options for every command, e.g. --set train.prefer.steps=100]
# Visitors have rated before (psyllm serve), and allowed it. The report compares the new model with the one
# before it, on the same test split and on ratings that nobody learnt from; with --base (a folder, or embedded) the
# ratings are learnt from that base and compared with it. Serve takes the new one at its next
# start, so read the report first. With fewer ratings than train.prefer.fewest_ratings training says so and stops.
# 2 cores, a model of 1 million weights, 40 ratings: a few minutes, 1 GB of memory.
set -euo pipefail
cd "$(dirname "$0")/.."
psyllm=.venv/bin/psyllm
data=data
from=(continue)
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=$2; shift 2 ;;
    --base) from=(--base "$2"); shift 2 ;;
    *) break ;;
  esac
done

for room in feedback clean corpus; do
  "$psyllm" "$room" --data "$data" "$@"
done
"$psyllm" train "${from[@]}" --data "$data" --set train.adapt.steps=0 --set train.answer.steps=0 \
  --set train.prefer.steps=60 "$@"
"$psyllm" evaluate --data "$data" "$@"
.venv/bin/python - "$data" <<'PYTHON'
import json, pathlib, sys
reports = pathlib.Path(sys.argv[1], "5_reports")
found = json.loads((reports / (reports / "current").read_text().strip() / "metrics.json").read_text("utf-8"))
print(json.dumps(found.get("against", {}), ensure_ascii=False, indent=1))
PYTHON
