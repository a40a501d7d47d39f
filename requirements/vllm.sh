#!/bin/sh
# Build the environment of the tests that need a real vLLM: the CPU build of vLLM, and genrm from this checkout.
#
#     sh requirements/vllm.sh python3.11 .venv-vllm
#
# It is kept apart from .venv because vLLM pins hundreds of packages. On a machine with a GPU, users install
# genrm[vllm], which brings vLLM itself: the code path is the same.
set -eu
python=$1
venv=$2
here=$(dirname "$0")

test -x "$venv/bin/python" || "$python" -m venv "$venv"
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
sh "$here/torch.sh" "$venv/bin/python" cpu
# The list is whole, so nothing is resolved: vLLM's own list would bring CUDA builds of torchvision and torchaudio.
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps -r "$here/vllm.txt"
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable "$here/.."
