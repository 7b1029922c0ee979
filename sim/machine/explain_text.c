/* SPDX-License-Identifier: MIT */
/*
 * The explanation of a translation as a page of text for people.
 */
#include <string.h>

#include "machine/explain.h"

static unsigned long long ull(uint64_t value)
{
    return (unsigned long long)value;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* --- The address and its indices ------------------------------------------------------------------------------ */

/* The lowest level that has an index of its own; below it is the offset in the page. */
static unsigned lowest_level(const struct explain *x)
{
    return x->ok ? (unsigned)x->guest_size + 1 : 1;
}

static void write_binary(uint64_t value, unsigned bits, FILE *out)
{
    fputs("  ", out);
    for (unsigned bit = bits; bit-- > 0;) {
        fputc((value >> bit & 1) != 0 ? '1' : '0', out);
    }
}

/* The parts of the address in columns: bits, binary digits, index. */
static void write_address(const struct explain *x, FILE *out)
{
    unsigned lowest = lowest_level(x), shift = radix_shift(lowest);
    uint64_t offset = x->gva.v & ((UINT64_C(1) << shift) - 1);
    fputs("\n            ", out);
    for (unsigned level = x->guest_levels; level >= lowest; level--) {
        fprintf(out, "    level %u", level);
    }
    fprintf(out, "  %*s\nbits        ", (int)shift, "offset");
    for (unsigned level = x->guest_levels; level >= lowest; level--) {
        fprintf(out, "     %2u..%2u", radix_shift(level) + 8, radix_shift(level));
    }
    fprintf(out, "  %*s%2u..0\nbinary      ", (int)shift - 5, "", shift - 1);
    for (unsigned level = x->guest_levels; level >= lowest; level--) {
        write_binary(x->gva.v >> radix_shift(level) & 511, 9, out);
    }
    write_binary(offset, shift, out);
    fputs("\nindex       ", out);
    for (unsigned level = x->guest_levels; level >= lowest; level--) {
        fprintf(out, "  %9llu", ull(x->gva.v >> radix_shift(level) & 511));
    }
    char text[24];
    snprintf(text, sizeof(text), "0x%llx", ull(offset));
    fprintf(out, "  %*s\n", (int)shift, text);
}

/* --- The steps ------------------------------------------------------------------------------------------------ */

static void write_tlbs(const struct explain *x, FILE *out)
{
    for (unsigned i = 0; i < x->tlb_count; i++) {
        fprintf(out, "%s%s TLB %s", i == 0 ? "\n" : ", ", tlb_level_names[x->tlb[i].level],
                x->tlb[i].hit ? "hit" : "miss");
    }
    if (x->tlb_count == 0) {
        return;
    }
    if (x->tlb[x->tlb_count - 1].hit) {
        fprintf(out, ": no walk, %u reference%s saved\n", x->saved, plural(x->saved));
    } else {
        fputs(": the page tables have to be walked\n", out);
    }
}

static void write_columns(FILE *out)
{
    fprintf(out, "\n%3s  %-7s  %5s  %-14s  %-18s  %-27s  %-9s  %-6s %6s  %7s\n", "#", "cell", "index", "entry at hPA",
            "entry", "which says", "rights", "from", "start", "cycles");
}

/* What a row of the grid is about. */
static void write_row_title(const struct explain *x, unsigned guest_step, FILE *out)
{
    if (!x->nested) {
        return;
    }
    const struct explain_cell *cells = x->cells[guest_step];
    if (guest_step == 0) {
        fprintf(out, "data page: the guest's tables say gPA 0x%llx; where is that in host memory?\n",
                ull(cells[x->host_levels].gpa.v));
    } else if (cells[0].planned && !cells[x->host_levels].planned) {
        fprintf(out, guest_step > x->own_level
                         ? "level %u: the entry lies in the hypervisor's shadow tables, at a host-physical address\n"
                         : "guest level %u: the entry lies in the guest's own table, whose hPA the walk has already\n",
                guest_step);
    } else if (cells[0].planned || cells[x->host_levels].planned) {
        uint64_t gpa = cells[x->host_levels].gpa.v;
        fprintf(out, "guest level %u: the entry lies at gPA 0x%llx (%s + 8 x %llu); where is that in host memory?\n",
                guest_step, ull(gpa), guest_step == x->guest_levels ? "CR3" : "table",
                ull(gpa % HV_PAGE_BYTES / RADIX_ENTRY_BYTES));
    }
}

/* "RWXU AD WB": the rights of one entry, its flags and the memory type of an EPT leaf. */
static void format_rights(const struct explain_entry *e, char text[16])
{
    snprintf(text, 16, "%c%c%c%c%s%s%s%s", e->readable ? 'R' : '-', e->writable ? 'W' : '-', e->executable ? 'X' : '-',
             e->user ? 'U' : ' ', e->accessed ? "A" : "", e->dirty ? "D" : "", e->has_memory_type ? " " : "",
             e->has_memory_type ? explain_memory_type_names[e->memory_type] : "");
}

/* Where the entry points, in the space of its own dimension. */
static void format_meaning(const struct explain *x, const struct explain_step *step, char text[48])
{
    const char *space = step->host_level != 0 || step->guest_step > x->own_level ? "hPA" : "gPA";
    bool switches = x->shadow && step->host_level == 0 && step->guest_step == x->own_level + 1;
    unsigned level = step->host_level != 0 ? step->host_level : step->guest_step;
    switch ((enum radix_step)step->entry.meaning) {
    case RADIX_TABLE:
        snprintf(text, 48, "%stable at %s 0x%llx", switches ? "guest's " : "", space, ull(step->entry.frame));
        break;
    case RADIX_LEAF:
        snprintf(text, 48, "%s page at %s 0x%llx", hv_page_size_names[level - 1], space, ull(step->entry.frame));
        break;
    case RADIX_NOT_PRESENT:
        snprintf(text, 48, "not present");
        break;
    case RADIX_RESERVED:
        snprintf(text, 48, "not allowed by the format");
        break;
    }
}

static void write_reference(const struct explain *x, const struct explain_step *step, FILE *out)
{
    char cell[EXPLAIN_CELL_BYTES], index[16], meaning[48], rights[16];
    explain_cell_name(step->guest_step, step->host_level, cell);
    snprintf(index, sizeof(index), "[%u]", step->index);
    format_meaning(x, step, meaning);
    format_rights(&step->entry, rights);
    fprintf(out, "%3u  %-7s  %5s  0x%-12llx  0x%016llx  %-27s  %-9s  %-6s %6llu  %7llu\n", step->number, cell, index,
            ull(step->address), ull(step->entry.value), meaning, rights, explain_source_names[step->source],
            ull(step->start), ull(step->cycles));
    if (step->update != 0) {
        char text[64];
        bool ept = step->host_level != 0 && !x->npt;
        snprintf(text, sizeof(text), "sets %s in this entry", explain_flags_name(ept, step->update));
        fprintf(out, "     %-7s  %-98s%7llu\n", cell, text, ull(step->update_cycles));
    }
}

static void write_lookup(const struct explain *x, const struct explain_step *step, FILE *out)
{
    switch ((enum explain_step_kind)step->kind) {
    case EXPLAIN_GUEST_PWC_HIT:
        fprintf(out, "     page-walk cache%s hit: the level-%u table is at hPA 0x%llx; %u reference%s saved\n",
                x->nested ? " (guest)" : "", step->guest_step, ull(step->address), step->saved, plural(step->saved));
        break;
    case EXPLAIN_HOST_PWC_HIT:
        fprintf(out, "     page-walk cache (host) hit: the level-%u table is at hPA 0x%llx; %u reference%s saved\n",
                step->host_level, ull(step->address), step->saved, plural(step->saved));
        break;
    case EXPLAIN_NESTED_HIT:
        fprintf(out, "     nested TLB hit for gPA 0x%llx; %u reference%s saved\n", ull(step->address), step->saved,
                plural(step->saved));
        break;
    case EXPLAIN_NESTED_MISS:
        fprintf(out, "     nested TLB miss for gPA 0x%llx\n", ull(step->address));
        break;
    case EXPLAIN_REFERENCE:
        break;
    }
}

static void write_steps(const struct explain *x, FILE *out)
{
    if (x->step_count == 0) {
        return;
    }
    write_columns(out);
    for (unsigned i = 0; i < x->step_count; i++) {
        const struct explain_step *step = &x->steps[i];
        bool new_row = i == 0 || step->guest_step != x->steps[i - 1].guest_step;
        if (step->restarted) {
            fputs("again from the root: the page-walk cache does not know at which gPA the refused table lies\n", out);
        }
        if (new_row && step->kind != EXPLAIN_GUEST_PWC_HIT) {
            write_row_title(x, step->guest_step, out);
        }
        if (step->kind == EXPLAIN_REFERENCE) {
            write_reference(x, step, out);
        } else {
            write_lookup(x, step, out);
        }
    }
    fprintf(out, "rights: R read, W write, X execute, U user; A accessed, D dirty%s\n",
            x->nested && !x->npt ? "; EPT pages with their memory type" : "");
}

/* --- What came of it ------------------------------------------------------------------------------------------- */

static void write_result(const struct explain *x, FILE *out)
{
    fprintf(out, "\nresult     hPA 0x%llx, a %s page", ull(x->reply.hpa.v), hv_page_size_names[x->size]);
    if (x->nested) {
        fprintf(out, " (guest %s, host %s)", hv_page_size_names[x->guest_size], hv_page_size_names[x->host_size]);
    }
    uint64_t p = x->payload;
    bool writable = (p & TLB_GUEST_W) != 0 && (p & TLB_HOST_W) != 0;
    bool executable = (p & TLB_GUEST_X) != 0 && (p & TLB_HOST_X) != 0;
    fprintf(out, ", %s, %s, %s", writable ? "writable" : "read-only", executable ? "executable" : "no execute",
            (p & TLB_GUEST_U) != 0 ? "user" : "supervisor");
    if (x->nested && !x->npt) {
        fprintf(out, ", memory type %s", explain_memory_type_names[p >> TLB_MEMORY_TYPE_SHIFT & 7]);
    }
    fputc('\n', out);
}

static void write_fault(const struct explain *x, FILE *out)
{
    const struct hv_fault *fault = &x->reply.fault;
    size_t count;
    const struct explain_bit *bits = explain_fault_bits(fault, &count);
    fprintf(out, "\nresult     %s", hv_fault_names[fault->kind]);
    if (fault->level != 0) {
        fprintf(out, " at the %slevel-%u entry", !x->nested ? "" : fault->dimension == HV_HOST ? "host's " : "guest's ",
                fault->level);
    }
    if (fault->dimension == HV_HOST) {
        fprintf(out, ", guest-physical address 0x%llx", ull(fault->gpa.v));
    }
    fputc('\n', out);
    if (count != 0) {
        fprintf(out, "           %s 0x%llx:\n", explain_code_name(fault), ull(fault->error_code));
    } else if (fault->kind == HV_FAULT_NON_CANONICAL) {
        fputs("           the upper bits are no copy of the highest bit translated: #GP(0), no table is read\n", out);
    } else {
        fputs("           the entry holds what EPT does not allow (SDM Vol. 3C 29.3.3.1)\n", out);
    }
    for (size_t i = 0; i < count; i++) {
        bool set = (fault->error_code & bits[i].mask) != 0;
        fprintf(out, "           %6s = %d  %s\n", bits[i].name, set, bits[i].meaning[set]);
    }
    if (x->handler != NULL) {
        fprintf(out, "           %s maps the page in %llu cycles, and the access is tried again\n", x->handler,
                ull(x->handling_cycles));
    }
}

/* What the walk would cost without caches, from the levels that each dimension has. */
static void write_formula(const struct explain *x, FILE *out)
{
    unsigned g = x->guest_levels - (unsigned)x->guest_size;
    if (!x->nested) {
        fprintf(out, "formula    one reference for each of %u levels = %u without page-walk caches\n", g, g);
        return;
    }
    unsigned table = explain_planned_host(x, x->guest_levels), data = explain_planned_host(x, 0);
    if (x->shadow) {
        unsigned k = x->own_level - (unsigned)x->guest_size;
        fprintf(out, "formula    g+(k-1)t+h = %u+%ux%u+%u = %u references without page-walk caches and nested TLB, "
                "with k = %u nested guest levels\n", g, k - 1, explain_planned_host(x, x->own_level - 1), data,
                explain_planned(x), k);
    } else if (table == data) {
        fprintf(out, "formula    (g+1)(h+1)-1 = (%u+1)(%u+1)-1 = %u references without page-walk caches and nested "
                "TLB\n", g, data, (g + 1) * (data + 1) - 1);
    } else {
        fprintf(out, "formula    g(t+1)+h = %ux(%u+1)+%u = %u references without page-walk caches and nested TLB; "
                "guest tables take t = %u\n", g, table, data, g * (table + 1) + data, table);
    }
}

static void write_totals(const struct explain *x, FILE *out)
{
    unsigned refs = x->references[HV_GUEST] + x->references[HV_HOST];
    hv_cycles walk = x->reply.walk_guest_cycles + x->reply.walk_host_cycles;
    fprintf(out, "references %u", refs);
    if (x->nested) {
        fprintf(out, " = %u guest + %u host", x->references[HV_GUEST], x->references[HV_HOST]);
    }
    fprintf(out, "; %u saved by caches\n", x->saved);
    fprintf(out, "cycles     %llu = %llu references + %llu look-ups of walk caches + %llu TLB", ull(x->total_cycles),
            ull(x->reference_cycles), ull(walk - x->reference_cycles), ull(x->reply.tlb_cycles));
    if (x->reply.queue_cycles != 0) {
        fprintf(out, " + %llu waiting for a walker", ull(x->reply.queue_cycles));
    }
    fputc('\n', out);
    if (x->ok) {
        write_formula(x, out);
    }
}

/* --- The grid -------------------------------------------------------------------------------------------------- */

static void write_cell(const struct explain *x, const struct explain_cell *cell, FILE *out)
{
    static const char *const marks[EXPLAIN_FATES] = {"", "", "T", "G", "H", "N"};
    if (cell->fate == EXPLAIN_READ) {
        fprintf(out, "  %4u", x->steps[cell->step].number);
    } else {
        fprintf(out, "  %4s", marks[cell->fate]);
    }
}

static void write_grid(const struct explain *x, FILE *out)
{
    if (explain_planned(x) == 0) {
        return;
    }
    fputs("\ngrid   ", out);
    for (unsigned level = x->host_levels; level > 0; level--) {
        fprintf(out, "    h%u", level);
    }
    fputs("     g\n", out);
    for (unsigned row = 0; row <= x->guest_levels; row++) {
        unsigned step = x->guest_levels - row;
        if (step == 0 && !x->nested) {
            break;
        }
        char name[EXPLAIN_CELL_BYTES];
        explain_cell_name(step, 0, name);
        fprintf(out, "   %-4.*s", (int)strcspn(name, "."), name);
        for (unsigned level = x->host_levels; level > 0; level--) {
            write_cell(x, &x->cells[step][level], out);
        }
        write_cell(x, &x->cells[step][0], out);
        fputc('\n', out);
    }
    if (x->saved != 0) {
        fputs("   saved by: T TLB, G guest page-walk cache, H host page-walk cache, N nested TLB\n", out);
    }
}

void explain_write_text(const struct explain *x, FILE *out)
{
    explain_headline(x, out);
    fputc('\n', out);
    write_address(x, out);
    write_tlbs(x, out);
    write_steps(x, out);
    if (x->ok) {
        write_result(x, out);
    } else {
        write_fault(x, out);
    }
    write_totals(x, out);
    write_grid(x, out);
}
