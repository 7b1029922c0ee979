/* SPDX-License-Identifier: MIT */
/*
 * Throughput of the simulator, each scenario beside a hand-tuned loop that does the bare minimum of the same work in
 * the same process: medians of five runs each, as a table and as results/bench.json. Decoding a trace stands alone,
 * and so do machines of several cores (cores.c), which run as the command that HVSIM names.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/atomic_file.h"
#include "base/host.h"
#include "machine/machine.h"
#include "machine/mrc.h"
#include "workload/trace_reader.h"

static const uint64_t footprint_large = HV_GIB(64);

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

struct scenario {
    const char *name;
    const char *what;
    const char *settings[16]; /* KEY=VALUE, NULL-terminated */
    uint64_t accesses;
    double target;            /* accesses/s that the project asks for */
    bool walks;               /* the rate is of walks */
    uint64_t (*limit)(struct limit *l, const uint64_t *pages, uint64_t n);
};

static uint64_t limit_of_hits(struct limit *l, const uint64_t *pages, uint64_t n)
{
    (void)pages;
    return limit_hits(l, n);
}

static uint64_t limit_of_walks(struct limit *l, const uint64_t *pages, uint64_t n)
{
    (void)pages;
    return limit_walks(l, n);
}

#define HITS "workload.kind=uniform", "workload.footprint=16KiB"
#define ZIPF "workload.kind=zipf", "workload.theta=1.5", "workload.footprint=64GiB"
#define WALKS "workload.kind=uniform", "workload.footprint=64GiB"
#define UNCACHED "mmu.pwc.kind=none", "mmu.nested_tlb.entries=0"
#define WINDOW "core.model=window"

/* Of the window three quarters of the in-order model's rates are asked. */
static const struct scenario scenarios[] = {
    {"hits", "everything hits: uniform over 16 KiB", {HITS, NULL}, 40000000, 60e6, false, limit_of_hits},
    {"zipf", "zipf 1.5 over 64 GiB, 24-reference walks", {ZIPF, UNCACHED, NULL}, 20000000, 30e6, false, limit_zipf},
    {"walks", "uniform over 64 GiB, 24-reference walks", {WALKS, UNCACHED, NULL}, 4000000, 4e6, true, limit_of_walks},
    {"hits-window", "hits, out of order", {HITS, WINDOW, NULL}, 40000000, 45e6, false, limit_of_hits},
    {"zipf-window", "zipf, out of order", {ZIPF, UNCACHED, WINDOW, NULL}, 20000000, 22.5e6, false, limit_zipf},
    {"walks-window", "walks, out of order", {WALKS, UNCACHED, WINDOW, NULL}, 4000000, 3e6, true, limit_of_walks},
};

static struct machine *build(const struct scenario *s)
{
    static struct machine_params params; /* large; the benchmark is one thread */
    struct hv_err err = {""};
    machine_params_init(&params);
    bool ok = true;
    for (unsigned i = 0; ok && s->settings[i] != NULL; i++) {
        ok = params_set_option(&machine_schema, &params, s->settings[i], &err);
    }
    params.workload.accesses = s->accesses * (BENCH_RUNS + 1);
    ok = ok && machine_params_resolve(&params, &err);
    struct machine *m = ok ? machine_new(&params, NULL, &err) : NULL;
    if (m == NULL) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(HV_EXIT_USER);
    }
    return m;
}

/* Accesses (or walks) a second, the median of BENCH_RUNS stretches of one run after one of warm-up. */
static double measure(const struct scenario *s, double *setup_seconds)
{
    double start = bench_now();
    struct machine *m = build(s);
    *setup_seconds = bench_now() - start;
    struct hv_err err = {""};
    double rates[BENCH_RUNS];
    machine_use_threads(m, host_processors());
    machine_run(m, 0, s->accesses, &err);
    for (unsigned run = 0; run < BENCH_RUNS; run++) {
        uint64_t walks = m->cores[0].mmu.stats.walks;
        start = bench_now();
        size_t done = machine_run(m, 0, s->accesses, &err);
        double seconds = bench_now() - start;
        rates[run] = (double)(s->walks ? m->cores[0].mmu.stats.walks - walks : done) / seconds;
    }
    machine_check(m);
    machine_free(m);
    return bench_median(rates, BENCH_RUNS);
}

/* The pages of a zipf stream for the limit loop, made ahead: generating them is not the loop's work. */
static uint64_t *zipf_pages(uint64_t count)
{
    struct hv_err err = {""};
    struct machine_params params;
    machine_params_init(&params);
    params_set_option(&machine_schema, &params, "workload.kind=zipf", &err);
    params_set_option(&machine_schema, &params, "workload.theta=1.5", &err);
    params.workload.footprint = footprint_large;
    params.workload.accesses = count;
    struct workload *w = workload_open(&params.workload, &err);
    uint64_t *pages = calloc(count, sizeof(*pages));
    if (w == NULL || pages == NULL) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(HV_EXIT_USER);
    }
    size_t regions;
    uint64_t base = workload_regions(w, &regions)[0].start.v;
    struct hv_access batch[256];
    size_t n, at = 0;
    while ((n = workload_next(w, batch, HV_ARRAY_LEN(batch), &err)) != 0 && n != (size_t)-1) {
        for (size_t i = 0; i < n; i++) {
            pages[at++] = (batch[i].gva.v - base) >> HV_PAGE_SHIFT;
        }
    }
    workload_close(w);
    return pages;
}

static double measure_limit(const struct scenario *s, struct limit *l, const uint64_t *pages)
{
    double rates[BENCH_RUNS];
    volatile uint64_t sink = s->limit(l, pages, s->accesses / 4); /* warm-up */
    for (unsigned run = 0; run < BENCH_RUNS; run++) {
        double start = bench_now();
        sink += s->limit(l, pages, s->accesses);
        rates[run] = (double)s->accesses / (bench_now() - start);
    }
    (void)sink;
    return bench_median(rates, BENCH_RUNS);
}

static long max_rss_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss >> 10;
}

bool bench_wanted(const char *name, const char *const *names)
{
    bool found = names[0] == NULL;
    for (; *names != NULL; names++) {
        found |= strcmp(*names, name) == 0;
    }
    return found;
}

/* A figure of the table, or a dash where there is none. */
static void print_figure(int width, int digits, double value)
{
    if (isnan(value)) {
        printf(" %*s", width, "-");
    } else {
        printf(" %*.*f", width, digits, value);
    }
}

static void put_figure(json_t *row, const char *name, double value)
{
    if (!isnan(value)) {
        json_object_set_new(row, name, json_real(value));
    }
}

void bench_report(const struct bench_row *row, json_t *rows)
{
    printf("%-12s", row->name);
    print_figure(12, 1, row->rate * 1e-6);
    print_figure(12, 1, row->limit * 1e-6);
    print_figure(8, 2, row->rate / row->limit);
    print_figure(12, 1, row->target * 1e-6);
    print_figure(8, 2, row->setup_seconds);
    printf("   %s\n", row->what);
    fflush(stdout);
    json_t *object = json_pack("{s:s, s:s}", "name", row->name, "what", row->what);
    put_figure(object, "per_second", row->rate);
    put_figure(object, "limit_per_second", row->limit);
    put_figure(object, "ratio", row->rate / row->limit);
    put_figure(object, "asked_per_second", row->target);
    put_figure(object, "setup_seconds", row->setup_seconds);
    json_array_append_new(rows, object);
}

static _Noreturn void fail_with(const struct hv_err *err)
{
    fprintf(stderr, "bench: %s\n", err->text);
    exit(HV_EXIT_USER);
}

/* Records a second that are decoded of a trace, the median of all runs through it but one to warm up. */
static double measure_decoding(const char *path)
{
    static struct hv_access batch[8192];
    struct hv_err err = {""};
    double rates[BENCH_RUNS + 1];
    struct trace_reader *reader = trace_reader_open(path, &err);
    for (unsigned run = 0; run <= BENCH_RUNS; run++) {
        double start = bench_now();
        size_t got = 1;
        if (reader == NULL || !trace_reader_seek(reader, 0, &err)) {
            fail_with(&err);
        }
        while (got != 0 && got != TRACE_READ_ERROR) {
            got = trace_reader_next(reader, batch, HV_ARRAY_LEN(batch), &err);
        }
        if (got != 0) {
            fail_with(&err);
        }
        rates[run] = (double)trace_info(reader)->records / (bench_now() - start);
    }
    trace_reader_close(reader);
    return bench_median(rates + 1, BENCH_RUNS);
}

static const char decode_name[] = "decode";

static void bench_decoding(json_t *rows)
{
    struct bench_row row = {decode_name, "trace decoding: workloads/sqlite.hvt, records",
                            measure_decoding("workloads/sqlite.hvt"), 30e6, NAN, NAN};
    bench_report(&row, rows);
}

static const char *hvsim(void)
{
    const char *command = getenv("HVSIM");
    return command != NULL ? command : "build/hvsim";
}

/* The model is measured before the limit loops take their memory. Returns its largest resident set. */
static long bench_model(const char *const *names, json_t *rows)
{
    double rates[HV_ARRAY_LEN(scenarios)], setups[HV_ARRAY_LEN(scenarios)];
    for (size_t i = 0; i < HV_ARRAY_LEN(scenarios); i++) {
        rates[i] = bench_wanted(scenarios[i].name, names) ? measure(&scenarios[i], &setups[i]) : 0;
    }
    long rss = max_rss_mib();
    struct limit *l = limit_new(footprint_large);
    uint64_t *pages = zipf_pages(scenarios[1].accesses);
    for (size_t i = 0; i < HV_ARRAY_LEN(scenarios); i++) {
        const struct scenario *s = &scenarios[i];
        if (bench_wanted(s->name, names)) {
            struct bench_row row = {s->name, s->what, rates[i], s->target, measure_limit(s, l, pages), setups[i]};
            bench_report(&row, rows);
        }
    }
    free(pages);
    limit_free(l);
    return rss;
}

static bool write_file(json_t *rows, long rss)
{
    struct hv_err err = {""};
    json_t *all = json_pack("{s:i, s:I, s:O}", "runs", BENCH_RUNS, "max_rss_mib", (json_int_t)rss, "scenarios", rows);
    bool written = dir_create("results", &err) && json_dump_file(all, "results/bench.json", JSON_INDENT(2)) == 0;
    json_decref(all);
    return written;
}

static const char curve_name[] = "curve";
static const char curve_what[] = "accesses of a miss-ratio curve of 64 sizes; its limit is one run of one size";

/* Accesses a second of a run or of a curve of 64 sizes with 4 ways, setting up apart. */
static double time_curve(const struct scenario *s, bool curve)
{
    static struct mrc_request request = {.ways = 4}; /* large, as its result is */
    static struct mrc result;
    struct hv_err err = {""};
    double rates[BENCH_RUNS];
    for (request.count = 0; request.count < 64; request.count++) {
        request.sizes[request.count] = 64 * (request.count + 1);
    }
    for (unsigned run = 0; run < BENCH_RUNS; run++) {
        struct machine *m = build(s);
        double start = bench_now();
        bool ok = curve ? mrc_measure(m, &request, &result, &err) : machine_run(m, 0, m->total, &err) == m->total;
        rates[run] = (double)m->total / (bench_now() - start);
        machine_free(m);
        if (!ok) {
            fail_with(&err);
        }
    }
    return bench_median(rates, BENCH_RUNS);
}

/* Three runs may cost as much as the curve. */
static void bench_curve(json_t *rows)
{
    const struct scenario one = {.settings = {"workload.kind=zipf", "workload.theta=0.99", "workload.footprint=16GiB",
                                 NULL}, .accesses = 500000};
    double run = time_curve(&one, false);
    struct bench_row row = {curve_name, curve_what, time_curve(&one, true), run / 3, run, NAN};
    bench_report(&row, rows);
}

int main(int argc, char **argv)
{
    const char *const *names = (const char *const *)argv + 1;
    json_t *rows = json_array();
    (void)argc;
    printf("%-12s %12s %12s %8s %12s %8s   %s\n", "scenario", "M/s", "limit M/s", "ratio", "asked M/s", "setup s",
           "what");
    long rss = bench_model(names, rows);
    bench_cores(names, hvsim(), rows);
    if (bench_wanted(decode_name, names)) {
        bench_decoding(rows);
    }
    if (bench_wanted(curve_name, names)) {
        bench_curve(rows);
    }
    printf("largest resident set of the model: %ld MiB\n", rss);
    bool written = write_file(rows, rss);
    json_decref(rows);
    return written ? HV_EXIT_OK : HV_EXIT_USER;
}
