/* SPDX-License-Identifier: MIT */
/*
 * The explanation of a translation as a picture for a slide: the grid of the walk, each cell with its number and who
 * answered it. 16:9, no script, no font that has to be fetched.
 *
 * The colours are those of Okabe and Ito, which people with any common colour blindness tell apart; each cell says
 * in words, too, what its colour means.
 */
#include <stdarg.h>
#include <string.h>

#include "machine/explain.h"

enum {
    WIDTH = 1600, HEIGHT = 900,
    MARGIN = 50,
    GRID_LEFT = 235, GRID_TOP = 205, GRID_WIDTH = 940, GRID_HEIGHT = 600,
    LEGEND_LEFT = 1235,
    CELL_GAP = 8,
};

static const char *const source_colours[EXPLAIN_SOURCES] = {"#56b4e9", "#009e73", "#f0e442", "#e69f00", "#cc79a7"};
static const char *const source_labels[EXPLAIN_SOURCES] = {
    "L1 data cache", "L2 cache", "last-level cache", "DRAM", "page-walk cache",
};
static const char *const saved_colour = "#0072b2";

/* Where the grid's cells lie. */
struct layout {
    FILE *out;
    const struct explain *x;
    int rows, columns;
    int cell_width, cell_height;
};

/* --- Shapes ---------------------------------------------------------------------------------------------------- */

struct label {
    int x, y, size;
    const char *anchor; /* start, middle, end */
    bool bold;
};

static void write_label(FILE *out, struct label label, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The texts are made here, of names and numbers: nothing in them needs an escape. */
static void write_label(FILE *out, struct label label, const char *format, ...)
{
    fprintf(out, "<text x=\"%d\" y=\"%d\" font-size=\"%d\" text-anchor=\"%s\"%s>", label.x, label.y, label.size,
            label.anchor, label.bold ? " font-weight=\"bold\"" : "");
    va_list args;
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputs("</text>\n", out);
}

struct box {
    int x, y, width, height;
};

/* A cell that was read, in the colour of who answered. */
static void write_read_box(FILE *out, struct box b, const char *fill, bool refused)
{
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"10\" fill=\"%s\" stroke=\"#202020\" "
            "stroke-width=\"%d\"/>\n", b.x, b.y, b.width, b.height, fill, refused ? 7 : 1);
}

/* A cell that a cache saved: an empty frame. */
static void write_saved_box(FILE *out, struct box b)
{
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"10\" fill=\"#ffffff\" stroke=\"%s\" "
            "stroke-width=\"3\" stroke-dasharray=\"10 7\"/>\n", b.x, b.y, b.width, b.height, saved_colour);
}

/* A cell that has no part in this walk. */
static void write_unused_box(FILE *out, struct box b)
{
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"10\" fill=\"#f0f0f0\"/>\n", b.x, b.y, b.width,
            b.height);
}

/* --- The grid -------------------------------------------------------------------------------------------------- */

static struct box cell_box(const struct layout *l, int row, int column)
{
    return (struct box){GRID_LEFT + column * l->cell_width, GRID_TOP + row * l->cell_height,
                        l->cell_width - CELL_GAP, l->cell_height - CELL_GAP};
}

/* The last reference before a fault is the one whose entry stopped the walk. */
static bool is_refused(const struct explain *x, const struct explain_cell *cell)
{
    return !x->ok && cell->fate == EXPLAIN_READ &&
           x->steps[cell->step].number == x->references[HV_GUEST] + x->references[HV_HOST];
}

static void draw_cell(const struct layout *l, int row, int column, const struct explain_cell *cell)
{
    struct box b = cell_box(l, row, column);
    int middle = b.x + b.width / 2, centre = b.y + b.height / 2;
    if (cell->fate == EXPLAIN_READ) {
        const struct explain_step *step = &l->x->steps[cell->step];
        bool refused = is_refused(l->x, cell), remark = refused || step->update != 0;
        centre -= remark ? 9 : 0; /* makes room for a third line */
        write_read_box(l->out, b, source_colours[step->source], refused);
        write_label(l->out, (struct label){middle, centre - 2, 36, "middle", true}, "%u", step->number);
        write_label(l->out, (struct label){middle, centre + 25, 21, "middle", false}, "%s: %llu",
                    explain_source_names[step->source], (unsigned long long)(step->cycles + step->update_cycles));
        if (remark) {
            write_label(l->out, (struct label){middle, centre + 46, 18, "middle", refused}, "%s",
                        refused ? "stops here" : "sets A/D flags");
        }
    } else if (cell->fate == EXPLAIN_UNUSED) {
        write_unused_box(l->out, b);
        write_label(l->out, (struct label){middle, centre + 7, 18, "middle", false}, "%s",
                    l->x->ok ? "not needed" : "not reached");
    } else {
        write_saved_box(l->out, b);
        write_label(l->out, (struct label){middle, centre - 3, 20, "middle", false}, "saved by");
        write_label(l->out, (struct label){middle, centre + 22, 20, "middle", false}, "%s",
                    explain_saver_names[cell->fate]);
    }
}

/* Native walks have one column, and room to say what each entry holds. */
static void draw_entry(const struct layout *l, int row, const struct explain_cell *cell)
{
    if (cell->fate != EXPLAIN_READ) {
        return;
    }
    const struct explain_step *step = &l->x->steps[cell->step];
    struct box b = cell_box(l, row, 0);
    static const char *const meanings[] = {
        [RADIX_TABLE] = "next table at", [RADIX_LEAF] = "page at", [RADIX_NOT_PRESENT] = "not present",
        [RADIX_RESERVED] = "not allowed by the format",
    };
    int left = b.x + b.width + 40, centre = b.y + b.height / 2;
    write_label(l->out, (struct label){left, centre - 6, 24, "start", false}, "entry %u, at 0x%llx:", step->index,
                (unsigned long long)step->address);
    if (step->entry.meaning == RADIX_TABLE || step->entry.meaning == RADIX_LEAF) {
        write_label(l->out, (struct label){left, centre + 24, 24, "start", false}, "%s 0x%llx",
                    meanings[step->entry.meaning], (unsigned long long)step->entry.frame);
    } else {
        write_label(l->out, (struct label){left, centre + 24, 24, "start", true}, "%s", meanings[step->entry.meaning]);
    }
}

static void draw_column_titles(const struct layout *l)
{
    for (int column = 0; column < l->columns; column++) {
        unsigned level = l->x->host_levels - (unsigned)column;
        struct box b = cell_box(l, 0, column);
        int middle = b.x + b.width / 2;
        if (level != 0) {
            write_label(l->out, (struct label){middle, GRID_TOP - 42, 28, "middle", true}, "h%u", level);
            write_label(l->out, (struct label){middle, GRID_TOP - 15, 20, "middle", false}, "host level %u", level);
        } else {
            write_label(l->out, (struct label){middle, GRID_TOP - 42, 28, "middle", true}, "g");
            write_label(l->out, (struct label){middle, GRID_TOP - 15, 20, "middle", false}, "%s",
                        l->x->nested ? "guest entry" : "page-table entry");
        }
    }
}

static void draw_row_title(const struct layout *l, int row, unsigned guest_step)
{
    struct box b = cell_box(l, row, 0);
    int right = GRID_LEFT - 20, centre = b.y + b.height / 2;
    if (guest_step != 0) {
        write_label(l->out, (struct label){right, centre - 3, 28, "end", true}, "g%u", guest_step);
        write_label(l->out, (struct label){right, centre + 24, 20, "end", false}, "%slevel %u",
                    l->x->nested ? "guest " : "", guest_step);
    } else {
        write_label(l->out, (struct label){right, centre - 3, 28, "end", true}, "data");
        write_label(l->out, (struct label){right, centre + 24, 20, "end", false}, "the page itself");
    }
}

static void draw_grid(const struct layout *l)
{
    draw_column_titles(l);
    for (int row = 0; row < l->rows; row++) {
        unsigned step = l->x->guest_levels - (unsigned)row;
        draw_row_title(l, row, step);
        for (int column = 0; column < l->columns - (step == 0); column++) { /* the data page has no guest entry */
            draw_cell(l, row, column, &l->x->cells[step][l->x->host_levels - (unsigned)column]);
        }
        if (!l->x->nested) {
            draw_entry(l, row, &l->x->cells[step][0]);
        }
    }
}

/* --- Beside the grid ------------------------------------------------------------------------------------------- */

/* References and their cycles by who answered. */
static void sum_by_source(const struct explain *x, uint64_t count[EXPLAIN_SOURCES], uint64_t cycles[EXPLAIN_SOURCES])
{
    memset(count, 0, EXPLAIN_SOURCES * sizeof(*count));
    memset(cycles, 0, EXPLAIN_SOURCES * sizeof(*cycles));
    for (unsigned i = 0; i < x->step_count; i++) {
        if (x->steps[i].kind == EXPLAIN_REFERENCE) {
            count[x->steps[i].source]++;
            cycles[x->steps[i].source] += x->steps[i].cycles + x->steps[i].update_cycles;
        }
    }
}

static void draw_legend(const struct layout *l)
{
    uint64_t count[EXPLAIN_SOURCES], cycles[EXPLAIN_SOURCES];
    sum_by_source(l->x, count, cycles);
    int y = GRID_TOP - 15;
    write_label(l->out, (struct label){LEGEND_LEFT, y, 24, "start", true}, "Who answered");
    y += 22;
    for (unsigned source = 0; source < EXPLAIN_SOURCES; source++) {
        if (count[source] != 0) {
            write_read_box(l->out, (struct box){LEGEND_LEFT, y, 44, 44}, source_colours[source], false);
            write_label(l->out, (struct label){LEGEND_LEFT + 60, y + 19, 22, "start", false}, "%s",
                        source_labels[source]);
            write_label(l->out, (struct label){LEGEND_LEFT + 60, y + 43, 20, "start", false}, "%llu x, %llu cycles",
                        (unsigned long long)count[source], (unsigned long long)cycles[source]);
            y += 64;
        }
    }
    if (l->x->saved != 0) {
        write_saved_box(l->out, (struct box){LEGEND_LEFT, y, 44, 44});
        write_label(l->out, (struct label){LEGEND_LEFT + 60, y + 19, 22, "start", false}, "no reference needed");
        write_label(l->out, (struct label){LEGEND_LEFT + 60, y + 43, 20, "start", false}, "%u saved by caches",
                    l->x->saved);
    }
}

static void draw_totals(const struct layout *l)
{
    const struct explain *x = l->x;
    hv_cycles guest = x->reply.walk_guest_cycles, host = x->reply.walk_host_cycles;
    struct { const char *what; hv_cycles cycles; } rows[] = {
        {x->nested ? "guest dimension" : "walk", guest}, {"host dimension", host}, {"TLB", x->reply.tlb_cycles},
    };
    int y = GRID_TOP + GRID_HEIGHT - 205;
    write_label(l->out, (struct label){LEGEND_LEFT, y, 24, "start", true}, "Cycles");
    for (unsigned i = 0; i < HV_ARRAY_LEN(rows); i++) {
        if (i != 1 || x->nested) {
            y += 32;
            write_label(l->out, (struct label){LEGEND_LEFT, y, 22, "start", false}, "%s: %llu", rows[i].what,
                        (unsigned long long)rows[i].cycles);
        }
    }
    write_label(l->out, (struct label){LEGEND_LEFT, y + 36, 24, "start", true}, "in all: %llu",
                (unsigned long long)x->total_cycles);
    write_label(l->out, (struct label){LEGEND_LEFT, y + 72, 18, "start", false}, "Of the walk, %llu to look up the",
                (unsigned long long)(guest + host - x->reference_cycles));
    write_label(l->out, (struct label){LEGEND_LEFT, y + 94, 18, "start", false}, "page-walk caches and nested TLB.");
}

static void draw_titles(const struct layout *l)
{
    const struct explain *x = l->x;
    unsigned refs = x->references[HV_GUEST] + x->references[HV_HOST];
    char stopped[64];
    snprintf(stopped, sizeof(stopped), "%s,", hv_fault_names[x->reply.fault.kind]);
    write_label(l->out, (struct label){MARGIN, 66, 42, "start", true}, "%s%s %u memory reference%s, %llu cycles",
                x->ok ? "One address translation:" : "Stopped: ", x->ok ? "" : stopped, refs, refs == 1 ? "" : "s",
                (unsigned long long)x->total_cycles);
    fprintf(l->out, "<text x=\"%d\" y=\"108\" font-size=\"25\">", MARGIN);
    explain_headline(x, l->out);
    fputs("</text>\n", l->out);
    const char *caption = "Numbers are the order of the references; each level's entry names the next table.";
    if (explain_planned(x) == 0) {
        caption = "No page table is read: the address has no form that this paging mode translates.";
    } else if (x->nested && x->shadow) {
        caption = "The hypervisor's shadow tables come first, then the guest's own, whose entries (g) the host "
                  "tables (h) find.";
    } else if (x->nested) {
        caption = "Read row by row: the host tables (h) find where in memory the guest's entry (g) lies, which names "
                  "the next row's table.";
    }
    write_label(l->out, (struct label){MARGIN, HEIGHT - 40, 24, "start", false}, "%s", caption);
}

void explain_write_svg(const struct explain *x, FILE *out)
{
    struct layout l = {.out = out, .x = x};
    l.columns = (int)x->host_levels + 1;
    l.rows = (int)x->guest_levels + (x->nested ? 1 : 0);
    l.cell_width = x->nested ? GRID_WIDTH / l.columns : 240;
    l.cell_height = GRID_HEIGHT / l.rows;
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" fill=\"#202020\">\n", WIDTH, HEIGHT, WIDTH,
            HEIGHT);
    fprintf(out, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", WIDTH, HEIGHT);
    draw_titles(&l);
    draw_grid(&l);
    draw_legend(&l);
    draw_totals(&l);
    fputs("</svg>\n", out);
}
