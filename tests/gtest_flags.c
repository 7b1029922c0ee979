/* SPDX-License-Identifier: MIT */
/* The harness's command line: the flags of GoogleTest that make sense for C tests. */
#include "gtest_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One row a flag; the parser, the error sentence and the help come from it. */
static const struct flag {
    const char *name;
    const char *value; /* what follows '=', or NULL for a switch */
    const char *help;
} flag_table[] = {
    {"list_tests", NULL, "List the names of all tests instead of running them."},
    {"filter", "POSITIVE_PATTERNS[-NEGATIVE_PATTERNS]",
     "Run only the tests whose name matches one of the positive patterns but none of the negative ones;"
     " '?' matches any character, '*' any text, ':' separates two patterns."},
    {"also_run_disabled_tests", NULL, "Run the tests whose name begins with DISABLED_ too."},
    {"repeat", "COUNT", "Run the tests repeatedly; a negative count repeats without end."},
    {"output", "xml[:FILE]", "Write an XML report to FILE (test_detail.xml)."},
    {"color", "(yes|no|auto)", "Colour the output; auto looks at the terminal."},
    {"brief", "(0|1)", "Print only failures and the closing summary."},
    /* These are accepted because IDEs pass them; cmocka already does what they ask, or cannot. */
    {"print_time", "(0|1)", "Accepted for compatibility; the time is always printed."},
    {"catch_exceptions", "(0|1)", "Accepted for compatibility; signals are always caught."},
    {"break_on_failure", NULL, "Accepted for compatibility; use a breakpoint on _fail."},
};

#define FLAG_COUNT (sizeof(flag_table) / sizeof(flag_table[0]))
#define FLAG_PREFIX "--gtest_"

void gtest_flags_help(FILE *out)
{
    /* IDEs recognise a GoogleTest program by this first line. */
    fputs("This program contains tests written using Google Test's command line over cmocka."
          " You can use the following flags:\n\n",
          out);
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const struct flag *flag = &flag_table[i];
        fprintf(out, "  " FLAG_PREFIX "%s%s%s\n      %s\n", flag->name, flag->value != NULL ? "=" : "",
                flag->value != NULL ? flag->value : "", flag->help);
    }
}

static int mistake(const char *argument, const char *accepted)
{
    fprintf(stderr, "%s: %s; --help lists the flags.\n", argument, accepted);
    return 2;
}

/* The flag an argument names, with *value behind its '=' or NULL; NULL when there is no such flag. */
static const struct flag *flag_find(const char *argument, const char **value)
{
    if (strncmp(argument, FLAG_PREFIX, strlen(FLAG_PREFIX)) != 0) {
        return NULL;
    }
    const char *name = argument + strlen(FLAG_PREFIX);
    size_t length = strcspn(name, "=");
    *value = name[length] == '=' ? name + length + 1 : NULL;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (strlen(flag_table[i].name) == length && strncmp(flag_table[i].name, name, length) == 0) {
            return &flag_table[i];
        }
    }
    return NULL;
}

/* A switch reads `--flag`, `--flag=1` or `--flag=0`, as in GoogleTest. */
static bool value_is_true(const char *value)
{
    return value == NULL || strchr("0fFnN", value[0]) == NULL;
}

static bool output_parse(struct gtest_flags *flags, const char *value)
{
    if (value != NULL && strcmp(value, "xml") == 0) {
        flags->xml = "test_detail.xml";
        return true;
    }
    if (value != NULL && strncmp(value, "xml:", 4) == 0 && value[4] != '\0') {
        flags->xml = value + 4;
        return true;
    }
    return false;
}

static bool repeat_parse(struct gtest_flags *flags, const char *value)
{
    char *end = NULL;
    long count = value != NULL ? strtol(value, &end, 10) : 0;
    if (value == NULL || end == value || *end != '\0' || count > 1000000000L || count < -1000000000L) {
        return false;
    }
    flags->repeat = (int)count;
    return true;
}

static bool color_parse(struct gtest_flags *flags, const char *value)
{
    if (value != NULL && strcmp(value, "auto") == 0) {
        const char *term = getenv("TERM");
        flags->color = isatty(STDOUT_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
    } else {
        flags->color = value_is_true(value);
    }
    return true;
}

static bool flag_apply(struct gtest_flags *flags, const char *name, const char *value)
{
    if (strcmp(name, "list_tests") == 0) {
        flags->list = value_is_true(value);
    } else if (strcmp(name, "also_run_disabled_tests") == 0) {
        flags->run_disabled = value_is_true(value);
    } else if (strcmp(name, "brief") == 0) {
        flags->brief = value_is_true(value);
    } else if (strcmp(name, "filter") == 0) {
        flags->filter = value;
        return value != NULL;
    } else if (strcmp(name, "output") == 0) {
        return output_parse(flags, value);
    } else if (strcmp(name, "repeat") == 0) {
        return repeat_parse(flags, value);
    } else if (strcmp(name, "color") == 0) {
        return color_parse(flags, value);
    }
    return true;
}

int gtest_flags_parse(struct gtest_flags *flags, int argc, char **argv)
{
    *flags = (struct gtest_flags){.filter = "*", .repeat = 1};
    color_parse(flags, "auto");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            flags->help = true;
            continue;
        }
        const char *value = NULL;
        const struct flag *flag = flag_find(argv[i], &value);
        if (flag == NULL) {
            return mistake(argv[i], "this test program has no such flag");
        }
        if (!flag_apply(flags, flag->name, value)) {
            return mistake(argv[i], flag->value);
        }
    }
    return 0;
}

/* Does the pattern, which ends at `end`, match the whole text? */
static bool pattern_matches(const char *pattern, const char *end, const char *text)
{
    if (pattern == end) {
        return *text == '\0';
    }
    if (*pattern == '*') {
        return pattern_matches(pattern + 1, end, text) || (*text != '\0' && pattern_matches(pattern, end, text + 1));
    }
    return *text != '\0' && (*pattern == '?' || *pattern == *text) && pattern_matches(pattern + 1, end, text + 1);
}

/* Does any of the patterns between `list` and `end`, apart by ':', match? */
static bool any_matches(const char *list, const char *end, const char *text)
{
    while (list < end) {
        const char *stop = memchr(list, ':', (size_t)(end - list));
        stop = stop != NULL ? stop : end;
        if (pattern_matches(list, stop, text)) {
            return true;
        }
        list = stop + (stop < end);
    }
    return false;
}

bool gtest_filter_selects(const char *filter, const char *full_name)
{
    const char *dash = strchr(filter, '-');
    const char *end = filter + strlen(filter);
    const char *positive_end = dash != NULL ? dash : end;
    /* GoogleTest: a filter with negative patterns only starts from everything. */
    bool everything = dash == filter;
    return (everything || any_matches(filter, positive_end, full_name)) &&
           (dash == NULL || !any_matches(dash + 1, end, full_name));
}
