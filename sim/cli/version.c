/* SPDX-License-Identifier: MIT */
/* The only file that is compiled with the version and the commit, so that a new commit recompiles nothing else. */
#include "cli/cli.h"

const char cli_version[] = HVSIM_VERSION;
const char cli_commit[] = HVSIM_COMMIT;
