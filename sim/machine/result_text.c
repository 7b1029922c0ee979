/* SPDX-License-Identifier: MIT */
/* A result as people read it: what was run, the key figures, where the cycles went; every statistic at the end. */
#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "base/stat_print.h"
#include "machine/result.h"
#include "machine/result_words.h"

enum { BAR_WIDTH = 40, CELL_WIDTH = 8 };

static void write_head(const struct result *result, FILE *out)
{
    const struct machine_params *p = &result->run->machine->params;
    fprintf(out, "hvsim %s (%s)\n", result->version, result->commit);
    fputs("workload  ", out);
    result_describe_workload(&p->workload, out);
    fputs("\npaging    ", out);
    result_describe_paging(p, out);
    if (p->io.device != IO_DEVICE_NONE) {
        fputs("\ndevice    ", out);
        result_describe_device(p, out);
    }
    fputc('\n', out);
    if (result->run->end != RUN_COMPLETE) {
        fprintf(out, "PARTIAL   interrupted after %" PRIu64 " of %" PRIu64 " accesses\n", result->run->done,
                result->run->total);
    }
}

static void write_figure(const struct stat_registry *stats, const struct key_figure *figure, FILE *out)
{
    long found = stats_find(stats, figure->stat);
    double value;
    if (found >= 0 && stats_value(stats, (size_t)found, &value)) {
        fprintf(out, "  %-30s %14.*f%s\n", figure->label, figure->decimals, value * figure->scale, figure->unit);
    } else {
        fprintf(out, "  %-30s %14s\n", figure->label, "-");
    }
}

static void write_key_figures(const struct stat_registry *stats, FILE *out)
{
    fputs("\nKey figures\n", out);
    for (size_t i = 0; i < result_key_figure_count; i++) {
        HV_ASSERT(stats_find(stats, result_key_figures[i].stat) >= 0, "there is no statistic %s",
                  result_key_figures[i].stat);
        write_figure(stats, &result_key_figures[i], out);
    }
}

static void write_device_figures(const struct stat_registry *stats, FILE *out)
{
    fputs("\nThe device\n", out);
    for (size_t i = 0; i < result_device_figure_count; i++) {
        write_figure(stats, &result_device_figures[i], out);
    }
}

/* A line of '#' that is as long as the share is large, after two blanks when there is any. */
static void write_bar(double share, FILE *out)
{
    char bar[BAR_WIDTH];
    int length = (int)(share * BAR_WIDTH + 0.5);
    memset(bar, '#', sizeof(bar));
    fprintf(out, "%*s%.*s\n", length > 0 ? 2 : 0, "", length, bar);
}

static void write_cycles(const char *label, uint64_t cycles, double total, FILE *out)
{
    double share = total > 0 ? (double)cycles / total : 0;
    fprintf(out, "  %-22s %14" PRIu64 "  %5.1f %%", label, cycles, share * 100);
    write_bar(share, out);
}

/* A core that has nothing to do but to wait for a device does so in the part of interrupts; it is told apart here. */
static void write_cycle_stack(const struct stat_registry *stats, FILE *out)
{
    double total = (double)stats_count(stats, "core.cycles");
    uint64_t idle = stats_find(stats, "io.idle_cycles") >= 0 ? stats_count(stats, "io.idle_cycles") : 0;
    fputs("\nWhere the cycles went\n", out);
    for (size_t i = 0; i < result_cycle_part_count; i++) {
        bool waits = strcmp(result_cycle_parts[i].stat, "core.cycles_interrupt") == 0;
        uint64_t cycles = stats_count(stats, result_cycle_parts[i].stat);
        write_cycles(result_cycle_parts[i].label, cycles - (waits ? idle : 0), total, out);
    }
    if (idle > 0) {
        write_cycles("waiting for a device", idle, total, out);
    }
    fprintf(out, "  %-22s %14" PRIu64 "\n", "all", stats_count(stats, "core.cycles"));
}

/* --- the grid of the walks --------------------------------------------------------------------------------------- */

/* The cells that the paging has: rows from the guest's top level down to the data, columns from the host's. */
struct grid {
    const struct mmu *mmu;
    unsigned guest_levels, host_levels; /* host_levels 0: one dimension */
    bool cycles;                        /* instead of references */
};

static double cell(const struct grid *g, unsigned step, unsigned level)
{
    const struct mmu_cell *c = &g->mmu->grid[step][level];
    return (double)(g->cycles ? c->cycles : c->refs) / (double)g->mmu->stats.walks;
}

static void write_mean(double mean, FILE *out)
{
    if (mean == 0) {
        fprintf(out, "%*s", CELL_WIDTH, "."); /* so that what there is stands out */
    } else {
        fprintf(out, "%*.2f", CELL_WIDTH, mean);
    }
}

/* The name of a level in a row or column; 0 is the end of the dimension. */
static void write_name(char side, unsigned level, const char *end, int width, FILE *out)
{
    char name[16];
    snprintf(name, sizeof(name), "%c%u", side, level);
    fprintf(out, "%*s", width, level == 0 ? end : name);
}

static void write_grid_row(const struct grid *g, unsigned step, double *sums, FILE *out)
{
    fputs("  ", out);
    write_name('g', step, "data", -6, out);
    double sum = 0;
    for (unsigned level = g->host_levels + 1; level-- > 0;) {
        double mean = cell(g, step, level);
        sums[level] += mean;
        sum += mean;
        write_mean(mean, out);
    }
    write_mean(sum, out);
    fputc('\n', out);
}

static void write_grid(const struct grid *g, FILE *out)
{
    double sums[MMU_GRID] = {0}, total = 0;
    fprintf(out, "\n%s per walk, by guest step (rows) and host level (columns; g: the guest's own entry)\n",
            g->cycles ? "Cycles" : "References");
    fprintf(out, "  %-6s", "");
    for (unsigned level = g->host_levels + 1; level-- > 0;) {
        write_name('h', level, "g", CELL_WIDTH, out);
    }
    fprintf(out, "%*s\n", CELL_WIDTH, "sum");
    for (unsigned step = g->guest_levels; step > 0; step--) {
        write_grid_row(g, step, sums, out);
    }
    if (g->host_levels > 0) {
        write_grid_row(g, 0, sums, out); /* the data page is translated by the host alone */
    }
    fprintf(out, "  %-6s", "sum");
    for (unsigned level = g->host_levels + 1; level-- > 0;) {
        write_mean(sums[level], out);
        total += sums[level];
    }
    write_mean(total, out);
    fputc('\n', out);
}

static void write_grids(const struct machine *m, FILE *out)
{
    const struct machine_params *p = &m->params;
    bool two_dimensions = p->paging.mode == PAGING_NESTED || p->paging.mode == PAGING_AGILE;
    struct grid grid = {
        .mmu = &m->cores[0].mmu,
        .guest_levels = (unsigned)p->guest.levels,
        .host_levels = two_dimensions ? (unsigned)p->host.levels : 0,
    };
    if (grid.mmu->stats.walks == 0) {
        return;
    }
    write_grid(&grid, out);
    grid.cycles = true;
    write_grid(&grid, out);
}

void result_write_text(const struct result *result, FILE *out)
{
    const struct machine *m = result->run->machine;
    write_head(result, out);
    write_key_figures(&m->stats, out);
    if (m->io != NULL) {
        write_device_figures(&m->stats, out);
    }
    write_cycle_stack(&m->stats, out);
    write_grids(m, out);
    fputs("\nAll statistics, groups without any event left out\n", out);
    stats_write_text(&m->stats, STATS_HIDE_ZERO_GROUPS, out);
    fprintf(out, "\nhost: %.2f s set-up, %.2f s run, %.2f M accesses/s, %.0f MiB\n", result->setup_seconds,
            result->wall_seconds, result->accesses_per_second / 1e6, (double)result->max_rss_bytes / (1 << 20));
}
