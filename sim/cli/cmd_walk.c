/* SPDX-License-Identifier: MIT */
#include "base/number.h"
#include "base/print.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "machine/explain_machine.h"
#include "report/walk_page.h"

enum { KEY_GVA = OPTION_LONG, KEY_ACCESS, KEY_REPEAT, KEY_FORMAT };

enum walk_format { WALK_TEXT, WALK_JSON, WALK_SVG, WALK_HTML };

enum { REPEAT_MAX = 10000, REPEAT_MAX_HTML = 100 };

struct walk_command {
    struct machine_options machine;
    const char *gva, *access, *repeat, *format;
};

/* What the strings of the command line mean. */
struct walk_request {
    const uint64_t *gva; /* NULL: the first page of the workload */
    enum hv_access_kind access;
    uint64_t repeat;
    enum walk_format format;
};

static const struct argp_option option_table[] = {
    {"gva", KEY_GVA, "ADDR", 0, "the address to translate; without it, where the workload's memory begins", 2},
    {"access", KEY_ACCESS, "load|store|fetch", 0, "what the access is", 2},
    {"repeat", KEY_REPEAT, "N", 0, "translate N times in a row, so that caches are warm (svg draws the last)", 2},
    {"format", KEY_FORMAT, "text|json|svg|html", 0,
     "of the explanation on standard output; html is a page to step through it", 2},
    {0},
};

static const struct argp_child groups[] = {MACHINE_OPTIONS_CHILD, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct walk_command *c = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &c->machine; return 0;
    case KEY_GVA: c->gva = arg; return 0;
    case KEY_ACCESS: c->access = arg; return 0;
    case KEY_REPEAT: c->repeat = arg; return 0;
    case KEY_FORMAT: c->format = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp walk_argp = {
    .options = option_table,
    .parser = parse,
    .children = groups,
    .doc = "Translates one address step by step: each reference of the page walk, who answered it, and its cycles.",
};

static bool read_request(const struct walk_command *c, struct walk_request *request, uint64_t *gva,
                         struct hv_err *err)
{
    static const char *const formats[] = {[WALK_TEXT] = "text", [WALK_JSON] = "json", [WALK_SVG] = "svg",
                                          [WALK_HTML] = "html", NULL};
    int format = option_choice("--format", c->format, formats, err);
    int access = format < 0 ? -1 : option_choice("--access", c->access, explain_access_names, err);
    request->repeat = 1;
    if (access < 0 || !option_count("--repeat", c->repeat, &request->repeat, err)) {
        return false;
    }
    int repeat_max = format == WALK_HTML ? REPEAT_MAX_HTML : REPEAT_MAX;
    if (request->repeat < 1 || request->repeat > (uint64_t)repeat_max) {
        return hv_fail(err, "--repeat: %s is out of range; it takes 1 to %d%s", c->repeat, repeat_max,
                       format == WALK_HTML ? " with --format html" : "");
    }
    if (c->gva != NULL && number_parse_count(c->gva, gva) != NUMBER_OK) {
        return hv_fail(err, "--gva: \"%.80s\" is not an address; it takes a number of 64 bits such as 0x10000000000",
                       c->gva);
    }
    request->format = (enum walk_format)format;
    request->access = (enum hv_access_kind)access;
    request->gva = c->gva != NULL ? gva : NULL;
    return true;
}

/* Whether all translations make one document. */
static bool is_document(enum walk_format format)
{
    return format == WALK_JSON || format == WALK_HTML;
}

/* Translates `repeat` times and prints each as it comes; JSON and HTML come as one document. */
static void explain_all(struct machine *m, const struct walk_request *request, hv_gva gva, json_t *translations)
{
    struct explain x;
    hv_cycles now = 0;
    for (uint64_t i = 0; i < request->repeat; i++) {
        bool last = i + 1 == request->repeat;
        explain_translation(&x, &m->cores[0].mmu, gva, request->access, now);
        if (!last) {
            explain_resolve_fault(&x, m);
        }
        now += x.total_cycles + x.handling_cycles;
        if (translations != NULL) {
            json_array_append_new(translations, explain_to_json(&x));
        } else if (request->format == WALK_TEXT) {
            if (request->repeat > 1) {
                printf("%s=== translation %llu of %llu ===\n", i > 0 ? "\n" : "", (unsigned long long)i + 1,
                       (unsigned long long)request->repeat);
            }
            explain_write_text(&x, stdout);
        } else if (last) {
            explain_write_svg(&x, stdout);
        }
    }
}

static void print_document(enum walk_format format, json_t *translations)
{
    json_t *hvsim = json_pack("{s:s, s:s}", "version", cli_version, "commit", cli_commit);
    json_t *document = json_pack("{s:o, s:o}", "hvsim", hvsim, "translations", translations);
    if (format == WALK_HTML) {
        walk_page_write(document, stdout);
        json_decref(document);
    } else {
        print_json(document, stdout);
    }
}

static int walk_machine(const struct walk_request *request, const struct machine_params *params)
{
    struct hv_err err = {""};
    struct machine *m = machine_new(params, NULL, &err);
    if (m == NULL) {
        return cli_fail(&err);
    }
    json_t *translations = is_document(request->format) ? json_array() : NULL;
    explain_all(m, request, request->gva != NULL ? (hv_gva){*request->gva} : explain_first_page(m), translations);
    if (translations != NULL) {
        print_document(request->format, translations);
    }
    machine_free(m);
    return HV_EXIT_OK; /* also after a fault, which is an answer */
}

int cmd_walk(int argc, char **argv)
{
    struct walk_command c = {0};
    int code = options_read(&walk_argp, 0, argc, argv, &c);
    if (code == OPTIONS_READ) {
        struct walk_request request;
        struct machine_params params;
        struct hv_err err = {""};
        uint64_t gva;
        if (read_request(&c, &request, &gva, &err) && machine_options_load(&c.machine, argv[0], &params, &err)) {
            code = walk_machine(&request, &params);
        } else {
            code = cli_fail(&err);
        }
    }
    machine_options_fini(&c.machine);
    return code;
}
