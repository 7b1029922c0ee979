/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "figure/expr.h"
#include "figure/figure.h"

const char *const figure_verdict_names[] = {
    [FIGURE_NOT_COVERED] = "not covered", [FIGURE_HOLDS] = "holds", [FIGURE_MISSED] = "MISSED",
};

static enum figure_verdict judge(const struct figure_check *check)
{
    if (check->not_covered != NULL) {
        return FIGURE_NOT_COVERED;
    }
    /* Written so that NaN is no hold. */
    return check->simulated >= check->low && check->simulated <= check->high ? FIGURE_HOLDS : FIGURE_MISSED;
}

void figure_judge(struct figure *f, const struct table *table)
{
    for (size_t i = 0; i < f->check_count; i++) {
        struct figure_check *check = &f->checks[i];
        check->simulated = check->value == NULL || f->failure[0] != '\0' ? (double)NAN : expr_value(table, check->value);
        check->verdict = judge(check);
    }
}

enum figure_verdict figure_verdict(const struct figure *f)
{
    enum figure_verdict worst = f->failure[0] != '\0' ? FIGURE_MISSED : FIGURE_NOT_COVERED;
    for (size_t i = 0; i < f->check_count; i++) {
        worst = f->checks[i].verdict > worst ? f->checks[i].verdict : worst;
    }
    return worst;
}
