/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <string.h>

#include "base/number.h"
#include "cli/cli.h"

enum { NAMES_MAX = 64, KEY_HELP = 'h' };

/* What the parsers at the root of a command share. */
struct reading {
    const struct argp *root;
    void *input; /* the command's */
    char name[64];
    const char *offender; /* the argument that argp does not accept */
    bool help;
};

static error_t parse_root(int key, char *arg, struct argp_state *state)
{
    struct reading *r = state->input;
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = r->input;
        return 0;
    case KEY_HELP:
        r->help = true;
        return ECANCELED; /* reads no further */
    case ARGP_KEY_ERROR:
        r->offender = state->argv[state->next - 1];
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The long options of an argp and its children. */
static size_t collect_names(const struct argp *argp, const char **names, size_t count)
{
    for (const struct argp_option *o = argp->options; o != NULL && (o->name != NULL || o->doc != NULL); o++) {
        if (o->name != NULL) {
            HV_ASSERT(count < NAMES_MAX, "a command has more than %d options", NAMES_MAX);
            names[count++] = o->name;
        }
    }
    for (const struct argp_child *c = argp->children; c != NULL && c->argp != NULL; c++) {
        count = collect_names(c->argp, names, count);
    }
    return count;
}

/* getopt only says that an argument is wrong; this says how. */
static bool fail_option(const struct reading *r, struct hv_err *err)
{
    const char *names[NAMES_MAX], *match = NULL, *second = NULL;
    size_t count = collect_names(r->root, names, 0);
    const char *text = r->offender + strspn(r->offender, "-");
    char name[128];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "="), text);
    for (size_t i = 0; i < count && r->offender[1] == '-'; i++) {
        if (strcmp(names[i], name) == 0) {
            match = names[i];
            second = NULL;
            break;
        }
        if (strncmp(names[i], name, strlen(name)) == 0) { /* getopt takes a name's beginning for the name */
            second = match;
            match = names[i];
        }
    }
    if (second != NULL) {
        return hv_fail(err, "option \"%.80s\" may be --%s or --%s; write it out", r->offender, second, match);
    }
    if (match != NULL) {
        return hv_fail(err, "option --%s %s", match, strchr(text, '=') != NULL ? "takes no value" : "needs a value");
    }
    const char *nearest = nearest_name(name, names, count);
    if (nearest != NULL) {
        return hv_fail(err, "unknown option \"%.80s\"; did you mean \"--%s\"?", r->offender, nearest);
    }
    return hv_fail(err, "unknown option \"%.80s\"; %s --help lists the known ones", r->offender, r->name);
}

int options_read(const struct argp *argp, unsigned flags, int argc, char **argv, void *input)
{
    static const struct argp_option options[] = {{"help", KEY_HELP, NULL, 0, "this help", -1}, {0}};
    const struct argp_child children[] = {{argp, 0, NULL, 0}, {0}};
    const struct argp root = {.options = options, .parser = parse_root, .children = children};
    struct reading r = {.root = &root, .input = input};
    struct hv_err err = {""};
    int end = argc;
    snprintf(r.name, sizeof(r.name), "hvsim %s", argv[0]);
    error_t error = argp_parse(&root, argc, argv, flags | ARGP_NO_ERRS | ARGP_NO_HELP, &end, &r);
    if (r.help) {
        argp_help(&root, stdout, ARGP_HELP_STD_HELP, r.name);
        return HV_EXIT_OK;
    }
    if (error != 0) {
        HV_ASSERT(r.offender != NULL, "argp failed with %d and named no argument", error);
        fail_option(&r, &err);
        return cli_fail(&err);
    }
    if (end < argc) {
        return cli_mistake("unexpected argument \"%.80s\"; %s --help says what is expected", argv[end], r.name);
    }
    return OPTIONS_READ;
}

int option_choice(const char *option, const char *text, const char *const *names, struct hv_err *err)
{
    char known[256];
    size_t used = 0, count = 0;
    for (; names[count] != NULL; count++) {
        if (text == NULL || strcmp(text, names[count]) == 0) {
            return (int)count;
        }
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", count > 0 ? ", " : "", names[count]);
        HV_ASSERT(used < sizeof(known), "the choices of %s do not fit", option);
    }
    const char *nearest = nearest_name(text, names, count);
    hv_fail(err, "%s: \"%.80s\" is not one of %s%s%s%s", option, text, known,
            nearest == NULL ? "" : "; did you mean \"", nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
    return -1;
}

bool option_count(const char *option, const char *text, uint64_t *value, struct hv_err *err)
{
    return text == NULL || number_parse_count(text, value) == NUMBER_OK ||
           hv_fail(err, "%s: \"%.80s\" is not a count; it takes a whole number such as 5000, 1e6 or 1_000_000", option,
                   text);
}
