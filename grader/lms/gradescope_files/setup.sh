#!/usr/bin/env bash
# Called once by Gradescope, as root, when it builds the image: Python 3.11 or newer, and what the grader needs.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
source="$root/source"

suitable() {
  "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python=""
for name in python3.13 python3.12 python3.11 python3; do
  if suitable "$name"; then python="$name"; break; fi
done
if [ -z "$python" ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq python3.12 python3.12-venv || apt-get install -y -qq python3.11 python3.11-venv
  python="$(command -v python3.12 || command -v python3.11)"
fi

"$python" -m venv "$root/venv"
"$root/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --extra-index-url https://download.pytorch.org/whl/cpu \
  -c "$source/constraints.txt" -r "$source/requirements.txt"
