#!/bin/bash
# SPDX-License-Identifier: MIT
# The blocks of this tree depend on each other downwards only, so `make test` is what enforces `make check-deps`.
set -euo pipefail
scripts/check-deps "$(dirname "$HVSIM")/libhvsim.a"
