/* SPDX-License-Identifier: MIT */
#include "dev/dev_params.h"

const char *const dev_pattern_names[] = {"receive", "transmit", "request_response", "storage", "read", "write", NULL};
const char *const dev_order_names[] = {"sequential", "random", NULL};

const struct param_row dev_param_rows[] = {
#define P(...) PARAM_ROW(struct dev_params, __VA_ARGS__)
#include "dev/dev_params.def"
#undef P
};
const size_t dev_param_count = HV_ARRAY_LEN(dev_param_rows);

const struct stat_row dev_stat_rows[] = {
#define S(...) STAT_ROW(struct dev_stats, __VA_ARGS__)
#include "dev/dev_stats.def"
#undef S
};
const size_t dev_stat_count = HV_ARRAY_LEN(dev_stat_rows);

static bool is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

bool dev_params_check(const struct dev_params *params, struct hv_err *err)
{
    if (!is_power_of_two(params->pcie_payload_bytes)) {
        return hv_fail(err, "io.pcie_payload_bytes is %llu; choose a power of two, such as 256",
                       (unsigned long long)params->pcie_payload_bytes);
    }
    if (!is_power_of_two(params->pcie_read_bytes)) {
        return hv_fail(err, "io.pcie_read_bytes is %llu; choose a power of two, such as 512",
                       (unsigned long long)params->pcie_read_bytes);
    }
    if (params->pri && !params->ats) {
        return hv_fail(err, "io.pri asks for io.ats: a device requests pages for its own TLB; set io.ats too");
    }
    return true;
}
