/* SPDX-License-Identifier: MIT */
#include "machine/result_words.h"

#include <inttypes.h>

#include "base/number.h"

const struct key_figure result_key_figures[] = {
    {"core.cycles_per_access", "cycles per access", "", 1, 2},
    {"core.cpi", "cycles per instruction", "", 1, 2},
    {"tlb.l1d.miss_ratio", "L1 data TLB miss ratio", " %", 100, 2},
    {"tlb.l1i.miss_ratio", "L1 instruction TLB miss ratio", " %", 100, 2},
    {"tlb.l2.miss_ratio", "L2 TLB miss ratio", " %", 100, 2},
    {"mmu.walks", "page walks", "", 1, 0},
    {"mmu.walk_refs_mean", "references per walk", "", 1, 2},
    {"mmu.walk_cycles_mean", "cycles per walk", "", 1, 2},
};
const size_t result_key_figure_count = HV_ARRAY_LEN(result_key_figures);

const struct key_figure result_device_figures[] = {
    {"io.throughput_mbps", "throughput", " Mb/s", 1, 0},
    {"io.packets", "packets of the device", "", 1, 0},
    {"io.dropped", "packets dropped", "", 1, 0},
    {"io.exits_per_packet", "VM exits per packet", "", 1, 2},
    {"io.cpu_cycles_per_packet", "core cycles per packet", "", 1, 0},
    {"io.interrupt_cycles_p50", "cycles until an interrupt ended", "", 1, 0},
    {"iommu.iotlb.miss_ratio", "IOTLB miss ratio", " %", 100, 2},
    {"iommu.refs_per_miss", "references per IOTLB miss", "", 1, 2},
};
const size_t result_device_figure_count = HV_ARRAY_LEN(result_device_figures);

const struct cycle_part result_cycle_parts[] = {
    {"core.cycles_base", "issuing instructions"},
    {"core.cycles_tlb", "TLB look-ups"},
    {"core.cycles_walk_guest", "walks: guest tables"},
    {"core.cycles_walk_host", "walks: host tables"},
    {"core.cycles_data", "caches and memory"},
    {"core.cycles_fault", "page faults"},
    {"core.cycles_exit", "VM exits"},
    {"core.cycles_interrupt", "interrupts"},
};
const size_t result_cycle_part_count = HV_ARRAY_LEN(result_cycle_parts);

void result_describe_workload(const struct workload_params *w, FILE *out)
{
    char footprint[NUMBER_BYTES], number[NUMBER_BYTES];
    fprintf(out, "%" PRIu64 " accesses, ", w->accesses);
    if (w->kind == WORKLOAD_TRACE) {
        fprintf(out, "trace %s", w->trace);
    } else if (w->kind == WORKLOAD_MIX) {
        fprintf(out, "mix of %s as %s, seed %" PRIu64, w->parts, mix_as_names[w->mix_as], w->seed);
    } else {
        number_format_size(w->footprint, footprint);
        fprintf(out, "%s", workload_kind_names[w->kind]);
        if (w->kind == WORKLOAD_STRIDE) {
            number_format_size(w->stride, number);
            fprintf(out, " of %s", number);
        } else if (w->kind == WORKLOAD_ZIPF || w->kind == WORKLOAD_KVSTORE) {
            number_format_real(w->theta, NUMBER_DIGITS_TEXT, number);
            fprintf(out, " %s", number);
        }
        fprintf(out, " over %s, seed %" PRIu64, footprint, w->seed);
    }
    if (w->warmup > 0) {
        fprintf(out, "; the first %" PRIu64 " warmed up", w->warmup);
    }
}

void result_describe_device(const struct machine_params *p, FILE *out)
{
    char bytes[NUMBER_BYTES];
    number_format_size(p->dev.packet_bytes, bytes);
    fprintf(out, "%s, %s of %s", io_device_names[p->io.device], dev_pattern_names[p->dev.pattern], bytes);
    if (p->io.device != IO_DEVICE_DMA && p->paging.mode != PAGING_NATIVE) {
        fprintf(out, ", %s", io_attach_names[p->io.attach]);
    }
    fprintf(out, "; IOMMU: %s", dma_mode_names[p->dma_map.mode]);
}

static void write_dimension(const char *name, const struct paging_side_params *side, FILE *out)
{
    fprintf(out, "%s%" PRIu64 " levels, %s pages", name, side->levels, hv_page_size_names[side->page_size]);
    if (side->huge_fraction > 0) {
        char share[NUMBER_BYTES];
        number_format_real(side->huge_fraction * 100, NUMBER_DIGITS_TEXT, share);
        fprintf(out, " (%s%% of it 2m)", share);
    }
}

void result_describe_paging(const struct machine_params *p, FILE *out)
{
    fprintf(out, "%s: ", paging_mode_names[p->paging.mode]);
    if (p->paging.mode != PAGING_NATIVE) {
        write_dimension("guest ", &p->guest, out);
        fputs("; ", out);
        write_dimension("host ", &p->host, out);
        if (p->host_more.table_page_size != 0) {
            fprintf(out, ", %s under guest tables", paging_table_size_names[p->host_more.table_page_size]);
        }
    } else {
        write_dimension("", &p->guest, out);
    }
}
