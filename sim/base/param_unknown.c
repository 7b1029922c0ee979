/* SPDX-License-Identifier: MIT */
/* What to say about a name that is no parameter. */
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/param_value.h"

static const char *last_segment(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

/* The first parameter under the prefix name, or NULL. */
static const struct param_ref *first_in_group(const struct param_ref *all, size_t count, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(all[i].name, name, length) == 0 && all[i].name[length] == '.') {
            return &all[i];
        }
    }
    return NULL;
}

bool param_is_group(const struct param_schema *schema, const char *name)
{
    size_t count;
    struct param_ref *all = param_all(schema, &count);
    bool group = first_in_group(all, count, name) != NULL;
    free(all);
    return group;
}

/*
 * Lower is nearer. A name is near when the whole spelling is, or when only its place was forgotten or wrong
 * ("walkers", "cpu.width"): then the last segments are near, which counts a little less.
 */
static unsigned distance_of(const char *text, const char *name)
{
    unsigned whole = edit_distance(text, name);
    unsigned last = edit_distance(last_segment(text), last_segment(name));
    unsigned score = whole <= edit_distance_limit(text) ? whole : NEAREST_FAR;
    if (last <= edit_distance_limit(last_segment(text)) && last < strlen(last_segment(name)) && last + 1 < score) {
        score = last + 1;
    }
    return score;
}

/* Of two names equally near by their last segment, the one whose whole spelling is nearer. */
static const struct param_ref *nearest_parameter(const struct param_ref *all, size_t count, const char *text)
{
    const struct param_ref *nearest = NULL;
    unsigned best = NEAREST_FAR, best_whole = NEAREST_FAR;
    for (size_t i = 0; i < count; i++) {
        unsigned score = distance_of(text, all[i].name), whole = edit_distance(text, all[i].name);
        if (score < best || (score == best && score < NEAREST_FAR && whole < best_whole)) {
            nearest = &all[i];
            best = score;
            best_whole = whole;
        }
    }
    return nearest;
}

/* The nearest prefix that a map of parameters may stand under, for a name that is such a map; "" when none is. */
static void nearest_group(const struct param_ref *all, size_t count, const char *text, char group[PARAM_NAME_BYTES])
{
    unsigned best = edit_distance_limit(text) + 1;
    group[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        for (const char *dot = strchr(all[i].name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
            char prefix[PARAM_NAME_BYTES];
            snprintf(prefix, sizeof(prefix), "%.*s", (int)(dot - all[i].name), all[i].name);
            unsigned distance = edit_distance(text, prefix);
            if (distance < best && distance < strlen(prefix)) {
                best = distance;
                memcpy(group, prefix, sizeof(prefix));
            }
        }
    }
}

bool param_fail_unknown(const struct param_schema *schema, const char *name, const struct hv_where *where,
                        struct hv_err *err)
{
    size_t count;
    struct param_ref *all = param_all(schema, &count);
    const struct param_ref *inside = first_in_group(all, count, name);
    const struct param_ref *nearest = nearest_parameter(all, count, name);
    if (inside != NULL) {
        hv_fail_at(err, where, "\"%s\" is a group of parameters and has no value of its own; name one, such as \"%s\"",
                   name, inside->name);
    } else if (nearest != NULL) {
        hv_fail_at(err, where, "unknown parameter \"%.80s\"; did you mean \"%s\"?", name, nearest->name);
    } else {
        hv_fail_at(err, where, "unknown parameter \"%.80s\"; see hvsim params for the known ones", name);
    }
    free(all);
    return false;
}

bool param_fail_unknown_group(const struct param_schema *schema, const char *name, const struct hv_where *where,
                              struct hv_err *err)
{
    size_t count;
    struct param_ref *all = param_all(schema, &count);
    char group[PARAM_NAME_BYTES];
    nearest_group(all, count, name, group);
    free(all);
    if (group[0] != '\0') {
        return hv_fail_at(err, where, "unknown group of parameters \"%.80s\"; did you mean \"%s\"?", name, group);
    }
    return hv_fail_at(err, where, "unknown group of parameters \"%.80s\"; see hvsim params for the known ones", name);
}
