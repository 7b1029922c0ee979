/* SPDX-License-Identifier: MIT */
#include "base/number.h"
#include "base/print.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "machine/explain.h"
#include "machine/machine.h"

enum { KEY_GVA = OPTION_LONG, KEY_ACCESS, KEY_REPEAT, KEY_FORMAT };

enum walk_format { WALK_TEXT, WALK_JSON, WALK_SVG };

enum { REPEAT_MAX = 10000 };

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
    {"format", KEY_FORMAT, "text|json|svg", 0, "of the explanation on standard output", 2},
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
    static const char *const formats[] = {[WALK_TEXT] = "text", [WALK_JSON] = "json", [WALK_SVG] = "svg", NULL};
    int format = option_choice("--format", c->format, formats, err);
    int access = format < 0 ? -1 : option_choice("--access", c->access, explain_access_names, err);
    request->repeat = 1;
    if (access < 0 || !option_count("--repeat", c->repeat, &request->repeat, err)) {
        return false;
    }
    if (request->repeat < 1 || request->repeat > REPEAT_MAX) {
        return hv_fail(err, "--repeat: %s is out of range; it takes 1 to %d", c->repeat, REPEAT_MAX);
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

/* The stream of the first core's first process, in whose context a walk is explained. */
static struct workload *first_stream(const struct machine *m)
{
    return m->cores[0].schedule.vcpus[0].tasks[0].workload;
}

static bool in_workload(const struct machine *m, hv_gva gva)
{
    size_t count;
    const struct workload_region *regions = workload_regions(first_stream(m), &count);
    for (size_t i = 0; i < count; i++) {
        if (gva.v - regions[i].start.v < regions[i].pages * HV_PAGE_BYTES) {
            return true;
        }
    }
    return false;
}

/* Software resolves a fault as in a run, where memory of the workload is touched for the first time. */
static void resolve_fault(struct machine *m, struct explain *x)
{
    if (x->ok || !in_workload(m, x->gva)) {
        return;
    }
    struct vm_fault_reply reply = vm_handle_fault(&m->vms[0], 0, &x->reply.fault);
    if (reply.resolved) {
        x->handler = reply.exit ? "the hypervisor" : "the operating system";
        x->handling_cycles = reply.cycles;
    }
}

/* Translates `repeat` times and prints each as it comes; JSON comes as one document. */
static void explain_all(struct machine *m, const struct walk_request *request, hv_gva gva, json_t *translations)
{
    struct explain x;
    hv_cycles now = 0;
    for (uint64_t i = 0; i < request->repeat; i++) {
        bool last = i + 1 == request->repeat;
        explain_translation(&x, &m->cores[0].mmu, gva, request->access, now);
        if (!last) {
            resolve_fault(m, &x);
        }
        now += x.total_cycles + x.handling_cycles;
        if (request->format == WALK_JSON) {
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

static hv_gva first_page(const struct machine *m)
{
    size_t count;
    const struct workload_region *regions = workload_regions(first_stream(m), &count);
    HV_ASSERT(count > 0, "a workload without memory");
    return regions[0].start;
}

static int walk_machine(const struct walk_request *request, const struct machine_params *params)
{
    struct hv_err err = {""};
    struct machine *m = machine_new(params, NULL, &err);
    if (m == NULL) {
        return cli_fail(&err);
    }
    json_t *translations = request->format == WALK_JSON ? json_array() : NULL;
    explain_all(m, request, request->gva != NULL ? (hv_gva){*request->gva} : first_page(m), translations);
    if (translations != NULL) {
        json_t *hvsim = json_pack("{s:s, s:s}", "version", cli_version, "commit", cli_commit);
        print_json(json_pack("{s:o, s:o}", "hvsim", hvsim, "translations", translations), stdout);
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
