#!/usr/bin/env bash
# One turn of the circle: collect → clean → corpus → train → evaluate.
#   runs/circle.sh [--data DIR] [--import PATH NAME LICENCE [LIMIT]] [more options for every command, e.g. --preset laptop]
# Without --import it takes the starter corpus that ships with psyllm. What is
# up to date is skipped, so a second run takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
psyllm=.venv/bin/psyllm
data=data
path= name= licence= limit=
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=$2; shift 2 ;;
    --import)
      path=$2 name=$3 licence=$4; shift 4
      if [[ ${1:-} =~ ^[0-9]+$ ]]; then limit=$1; shift; fi ;;
    *) break ;;
  esac
done

if [ -n "$path" ]; then
  "$psyllm" collect import "$path" --name "$name" --licence "$licence" ${limit:+--limit "$limit"} --data "$data" "$@"
else
  "$psyllm" collect starter --data "$data" "$@"
fi
for room in clean corpus train evaluate; do
  "$psyllm" "$room" --data "$data" "$@"
done
"$psyllm" status --data "$data"
