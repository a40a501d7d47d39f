#!/bin/sh
# Install torch into the environment of the given Python, without CUDA packages where there is no GPU.
#
# PyPI's torch for Linux brings several gigabytes of CUDA libraries. The CPU build carries a local version label, so
# asking for that label can never pick up the other one: it is taken from the configured package sources, else from
# PyTorch's own index.
set -eu
python=$1  # a second argument "cpu" asks for the CPU build even where there is a GPU
version=2.13.0

if "$python" -c "import torch, sys; sys.exit(torch.__version__.split('+')[0] != '$version')" 2>/dev/null; then
    exit 0
fi
install="$python -m pip install --disable-pip-version-check --quiet"
if [ "${2:-}" != cpu ] && command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then
    exec $install "torch==$version"
fi
case "$(uname -s)" in
    Linux)
        $install "torch==$version+cpu" 2>/dev/null ||
            $install --extra-index-url https://download.pytorch.org/whl/cpu "torch==$version+cpu"
        ;;
    *) $install "torch==$version" ;;
esac
