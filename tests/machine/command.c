/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gtest.h"

enum { COMMAND_BYTES = 8192 };

void command_or_skip(void)
{
    const char *hvsim = getenv("HVSIM");
    if (hvsim == NULL || access(hvsim, X_OK) != 0) {
        skip();
    }
}

/* An empty configuration, and a file for the trace: in a directory of their own. */
struct place {
    char directory[64], config[96], trace[96];
};

static void make_place(struct place *p)
{
    strcpy(p->directory, "/tmp/hvsim-command-XXXXXX");
    assert_non_null(mkdtemp(p->directory));
    snprintf(p->config, sizeof(p->config), "%s/config.yaml", p->directory);
    snprintf(p->trace, sizeof(p->trace), "%s/trace", p->directory);
    FILE *file = fopen(p->config, "w");
    assert_non_null(file);
    fputs("machine: {}\n", file);
    assert_int_equal(fclose(file), 0);
}

static void remove_place(const struct place *p)
{
    unlink(p->config);
    unlink(p->trace);
    rmdir(p->directory);
}

static FILE *start(const struct place *p, const char *settings, bool traced)
{
    char command[COMMAND_BYTES], copy[COMMAND_BYTES / 2], *rest = copy, *setting;
    assert_true(strlen(settings) < sizeof(copy));
    strcpy(copy, settings);
    size_t used = (size_t)snprintf(command, sizeof(command), "'%s' run '%s' --format json", getenv("HVSIM"), p->config);
    while ((setting = strsep(&rest, " ")) != NULL) {
        if (setting[0] != '\0') {
            used += (size_t)snprintf(command + used, sizeof(command) - used, " --set '%s'", setting);
        }
    }
    if (traced) {
        used += (size_t)snprintf(command + used, sizeof(command) - used, " --trace-points shared 2>'%s'", p->trace);
    }
    assert_true(used < sizeof(command));
    FILE *output = popen(command, "r");
    assert_non_null(output);
    return output;
}

static char *read_all(FILE *file)
{
    size_t size = 0, capacity = 4096;
    char *text = malloc(capacity);
    assert_non_null(text);
    for (size_t got; (got = fread(text + size, 1, capacity - size - 1, file)) > 0;) {
        size += got;
        if (capacity - size < 2) {
            capacity *= 2;
            text = realloc(text, capacity);
            assert_non_null(text);
        }
    }
    text[size] = '\0';
    return text;
}

json_t *command_run(const char *settings, char **trace)
{
    struct place place;
    make_place(&place);
    FILE *output = start(&place, settings, trace != NULL);
    json_t *result = json_loadf(output, 0, NULL);
    assert_int_equal(pclose(output), 0);
    assert_non_null(result);
    if (trace != NULL) {
        FILE *file = fopen(place.trace, "r");
        assert_non_null(file);
        *trace = read_all(file);
        fclose(file);
    }
    remove_place(&place);
    json_t *stats = json_incref(json_object_get(result, "stats"));
    json_decref(result);
    return stats;
}

char *command_output(const char *settings)
{
    struct place place;
    make_place(&place);
    FILE *output = start(&place, settings, false);
    char *text = read_all(output);
    assert_int_equal(pclose(output), 0);
    remove_place(&place);
    return text;
}

uint64_t command_stat(const json_t *stats, const char *name)
{
    const json_t *value = json_object_get(stats, name);
    if (!json_is_integer(value)) {
        fail_msg("%s is no whole number of this run", name);
    }
    return (uint64_t)json_integer_value(value);
}
