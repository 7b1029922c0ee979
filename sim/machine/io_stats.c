/* SPDX-License-Identifier: MIT */
/* Statistics of devices and drivers, and the identities between them. */
#include "machine/io_front.h"

#include <stdlib.h>

static const struct stat_row own_rows[] = {
#define S(...) STAT_ROW(struct io_stats, __VA_ARGS__)
#include "machine/io_stats.def"
#undef S
};

/* How long what is counted has taken: from the start, or the end of the warm-up, until the last packet. */
static uint64_t elapsed(const void *ctx, uint64_t unused)
{
    const struct machine_io *io = ctx;
    const hv_cycles ended = io->engine != NULL ? io->engine->last_done : io->ended;
    (void)unused;
    return ended > io->began ? ended - io->began : 0;
}

static uint64_t bytes_through(const struct machine_io *io)
{
    return io->engine != NULL ? io->engine->link.stats.bytes : io->stats.handled_bytes;
}

static uint64_t throughput(const void *ctx, uint64_t unused)
{
    const struct machine_io *io = ctx;
    const uint64_t cycles = elapsed(ctx, unused);
    return cycles == 0 ? 0 : (uint64_t)((unsigned __int128)bytes_through(io) * 8 * io->machine->params.machine.clock_mhz /
                                        cycles);
}

static uint64_t latency(const void *ctx, uint64_t per_mille)
{
    const struct machine_io *io = ctx;
    return histogram_percentile(&io->latency, per_mille);
}

static void add_ratios(struct stat_registry *r)
{
    stats_add_ratio(r, "io.exits_per_packet", "VM exits per packet", "io.exits", "io.handled");
    stats_add_ratio(r, "io.exits_per_interrupt", "VM exits per interrupt that was handled", "io.exits",
                    "io.interrupts_handled");
    stats_add_ratio(r, "io.cpu_cycles_per_packet", "time of cores per packet", "io.cpu_cycles", "io.handled");
    stats_add_ratio(r, "io.interrupt_remap_mean", "from the device's message until it is remapped", "io.remap_cycles",
                    "io.interrupts_handled");
    stats_add_ratio(r, "io.interrupt_deliver_mean", "then until the handler began", "io.deliver_cycles",
                    "io.interrupts_handled");
    stats_add_ratio(r, "io.interrupt_acknowledge_mean", "then until it was ended", "io.acknowledge_cycles",
                    "io.interrupts_handled");
}

void io_register_stats(struct machine_io *io, struct stat_registry *r)
{
    static const struct { const char *name; uint64_t per_mille; } percentiles[] = {
        {"io.interrupt_cycles_p50", 500}, {"io.interrupt_cycles_p95", 950}, {"io.interrupt_cycles_p99", 990},
    };
    stats_add(r, "io", own_rows, HV_ARRAY_LEN(own_rows), &io->stats);
    stats_add_value(r, "io.cycles", "cycles", "time until the last packet was through", elapsed, io, 0);
    stats_add_value(r, "io.throughput_mbps", "Mb/s", "payload that went through in this time", throughput, io, 0);
    for (size_t i = 0; i < HV_ARRAY_LEN(percentiles); i++) {
        stats_add_value(r, percentiles[i].name, "cycles",
                        "so many per cent of the interrupts were ended at most so long after the device's message", latency,
                        io, percentiles[i].per_mille);
    }
    stats_add_value(r, "io.interrupt_cycles_max", "cycles", "the longest time until an interrupt was ended",
                    histogram_stat_max, &io->latency, 0);
    add_ratios(r);
    stats_add(r, "io", dev_stat_rows, dev_stat_count, &io_link(io)->stats);
    if (io->iommu != NULL) {
        iommu_register_stats(io->iommu, r);
        stats_add(r, "iommu.map", dma_map_stat_rows, dma_map_stat_count, &io->unit.stats);
    }
    if (io->exclusion != NULL) {
        io_exclusion_register(io, r);
    }
}

void io_register_reference(struct stat_registry *r)
{
    struct machine_io *io = calloc(1, sizeof(*io));
    struct dma_engine *engine = calloc(1, sizeof(*engine));
    struct iommu *iommu = calloc(1, sizeof(*iommu));
    struct dev_vector *exclusion = calloc(1, sizeof(*exclusion));
    HV_ASSERT(io != NULL && engine != NULL && iommu != NULL && exclusion != NULL, "out of memory");
    io->engine = engine;
    io->iommu = iommu;
    io->exclusion = exclusion;
    io_register_stats(io, r);
    free(exclusion);
    free(iommu);
    free(engine);
    free(io);
}

/* The end of the warm-up. The counters themselves are zeroed with all others, after this. */
void io_reset_stats(struct machine_io *io)
{
    if (io == NULL) {
        return;
    }
    hv_cycles now = 0;
    for (uint64_t i = 0; i < io->machine->params.machine.cores; i++) {
        const hv_cycles core = io->machine->cores[i].core.now;
        now = core > now ? core : now;
    }
    io->began = io->ended = now;
    io->dropped_before += io_link(io)->stats.dropped;
    histogram_reset(&io->latency);
    if (io->iommu != NULL) {
        iommu_reset_stats(io->iommu);
    }
}

uint64_t io_stale_report(const struct machine_io *io, FILE *out)
{
    if (io == NULL || (io->iommu == NULL && io->exclusion == NULL)) {
        return 0;
    }
    if (io->exclusion != NULL) {
        return io_exclusion_stale_report(io, out);
    }
    iommu_stale_report(io->iommu, out);
    return io->iommu->stats.stale_found;
}

/*
 * What a function has received is through, or waits for its driver. A packet whose bytes are in memory ahead of their
 * time (dev/dev.h) waits already, and is received later.
 */
static void check_packets(const struct io_driver *d)
{
    const uint64_t through = d->settled + (d->front != NULL ? io_front_settled(d) : 0);
    const uint64_t received = nic_counts_of(d->io->nic, d->function).received, waiting = d->kind->waiting(d);
    HV_ASSERT(received <= through + waiting, "function %u has received %llu packets; %llu are through and %llu wait",
              d->function, (unsigned long long)received, (unsigned long long)through, (unsigned long long)waiting);
}

/* The parts of an interrupt's time are all of it, and nobody handles more than has come. */
void io_check(const struct machine_io *io)
{
    if (io == NULL) {
        return;
    }
    const struct io_stats *s = &io->stats;
    HV_ASSERT(s->interrupts_handled == io->latency.count, "%llu interrupts were handled, the histogram has %llu",
              (unsigned long long)s->interrupts_handled, (unsigned long long)io->latency.count);
    HV_ASSERT(s->remap_cycles + s->deliver_cycles + s->acknowledge_cycles == io->latency.sum,
              "the parts of interrupts sum to %llu of %llu cycles",
              (unsigned long long)(s->remap_cycles + s->deliver_cycles + s->acknowledge_cycles),
              (unsigned long long)io->latency.sum);
    for (unsigned i = 0; io->nic != NULL && i < io->driver_count; i++) {
        if (io->machine->params.dev.pattern == DEV_RECEIVE) {
            check_packets(&io->drivers[i]);
        }
    }
}
