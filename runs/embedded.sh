#!/usr/bin/env bash
# Makes the model that ships in the package from the SmileChat file (CC0), puts it in its place, and measures it.
#   runs/embedded.sh PATH/train.jsonl.xz [--data DIR]
#   runs/embedded.sh --ship [--data DIR]        the last part only: of the model in use there
# Can be stopped and started again at any time: finished steps are skipped, the training goes on from its last
# checkpoint. Two cores without bf16: 1 minute to import, 5 to clean and split, about 5 hours of training
# (10.1M weights, 28M tokens, 1,700 tokens/s), 4 GB of memory at most; one core takes twice as long.
# What the model is and isn't stands in src/psyllm/lm/embedded/MODEL_CARD.md. Nothing speaks to anybody before
# the marks are written: core/embedded.py says whether they are reached. Before the model itself writes to visitors of
# a trial serve/stand_in.py asks further, and core/descent.py before one made from it does.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '2,4p' "$0"; exit 2; }
psyllm=.venv/bin/psyllm
source=$1; shift
data=data/embedded
[ "${1:-}" != --data ] || data=$2
here=src/psyllm/lm/embedded

if [ "$source" != --ship ]; then
  "$psyllm" collect import "$source" --name smilechat --licence CC0-1.0 --data "$data"
  "$psyllm" clean --data "$data"
  "$psyllm" corpus --data "$data"
  "$psyllm" train --preset embedded --data "$data"
  # What it will mostly be asked is a first question: 300 steps more on how dialogues begin, questions and first replies.
  "$psyllm" train continue --preset embedded --data "$data" --set train.adapt.steps=0 --set train.answer.steps=300 \
    --set train.answer.exchanges=1 --set train.answer.learning_rate=7e-4
  "$psyllm" evaluate --data "$data" --set evaluate.most_generated=200
fi
new=$data/embedded.new
rm -rf "$new"
"$psyllm" train export --form safetensors --dtype int8 --out "$new" --data "$data"
"$psyllm" corpus fingerprints --out "$new" --data "$data"
rm "$new/MODEL_CARD.md" # the package's own card says more
# What is measured is what ships: int8, not the model that it was made from.
.venv/bin/python bench/embedded.py --model "$new" --data "$data" --sheet "$data/sheet.json"
find "$here" -mindepth 1 ! -name MODEL_CARD.md -delete
cp -R "$new/." "$here"
.venv/bin/python bench/embedded.py --card
echo "read $data/sheet.json, fill in on_topic, then: .venv/bin/python bench/embedded.py --marks $data/sheet.json"
