/* SPDX-License-Identifier: MIT */
#include "sweep/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "sweep/fingerprint.h"
#include "sweep/plot_kinds.h"
#include "sweep/plot_parts.h"

#define ANY SIZE_MAX

const struct sweep_plot_kind sweep_plot_kinds[] = {
    {"lines", "a line for each series, with the spread between seeds", true, 1, ANY, ANY, plot_write_lines},
    {"bars", "a bar for each series and value of x", false, 1, ANY, ANY, plot_write_bars},
    {"stack", "a bar of all metrics for each series and value of x", false, 2, ANY, ANY, plot_write_stack},
    {"heatmap", "a field for each value of x and by, coloured by the metric", false, 1, 1, 1, plot_write_heatmap},
};
const size_t sweep_plot_kind_count = HV_ARRAY_LEN(sweep_plot_kinds);

/* --- The program -------------------------------------------------------------------------------------------------- */

/*
 * Okabe and Ito's colours, which the colour-blind tell apart; dashes and points tell them apart in black and white.
 * The size of points is the terminal's: SVG's are twice as large.
 */
static void write_styles(const char *point_size, FILE *out)
{
    static const struct {
        const char *colour, *dashes;
        int point;
    } styles[PLOT_STYLES] = {
        {"#0072b2", "solid", 7},     {"#d55e00", "(9,4)", 5},       {"#009e73", "(3,3)", 9},
        {"#cc79a7", "(12,3,3,3)", 13}, {"#e69f00", "(6,3,2,3)", 11}, {"#56b4e9", "(15,5)", 6},
        {"#000000", "(2,4)", 4},     {"#999999", "(8,2,2,2,2,2)", 8},
    };
    for (size_t i = 0; i < PLOT_STYLES; i++) {
        fprintf(out, "set style line %zu lc rgb '%s' lw 3 dt %s pt %d ps %s\n", i + 1, styles[i].colour,
                styles[i].dashes, styles[i].point, point_size);
    }
}

/* The size of a slide, with letters that can be read from the last row. */
static void write_terminal(const char *terminal, const char *more, const char *file, FILE *out)
{
    fprintf(out, "\nset terminal %s size 1280,800 font 'Sans,24' noenhanced%s\nset output '%s'\n", terminal, more, file);
}

void plot_begin_picture(FILE *out)
{
    write_terminal("pngcairo", "", "plot.png", out);
}

void sweep_plot_write(const struct sweep *s, FILE *out)
{
    fputs("set datafile separator ','\n"
          "set datafile columnheaders\n"
          "set datafile missing NaN\n"
          "set border 3 lw 1.5\n"
          "set tics nomirror out\n"
          "set grid ytics lc rgb '#dddddd' lt 1 lw 1\n", out);
    write_styles("1.8", out);
    fputc('\n', out);
    s->plot.kind->write(s, out);
    write_terminal("svg", " background '#ffffff'", "plot.svg", out);
    write_styles("0.9", out);
    fputs("replot\n", out);
}

/* The lines before the program, the last of which tells whether it was changed. */
static void write_head(const struct sweep *s, FILE *out)
{
    fprintf(out, "# The plot of sweep %s. In a folder with table.csv, `gnuplot plot.gp` makes plot.png and plot.svg.\n"
            "# It is yours to change: hvsim sweep keeps a plot.gp that was changed. Delete it to have it made anew.\n",
            s->name);
}

static const char MARK[] = "# hvsim ";

/* --- Was it changed? ---------------------------------------------------------------------------------------------- */

/* The whole text; to be freed. */
static char *make_text(const struct sweep *s)
{
    char *program, *text;
    size_t bytes;
    FILE *out = open_memstream(&program, &bytes);
    HV_ASSERT(out != NULL, "out of memory");
    sweep_plot_write(s, out);
    fclose(out);
    FILE *whole = open_memstream(&text, &bytes);
    HV_ASSERT(whole != NULL, "out of memory");
    write_head(s, whole);
    fprintf(whole, "%s%016llx\n%s", MARK, (unsigned long long)fingerprint_text(FINGERPRINT_NOTHING, program), program);
    fclose(whole);
    free(program);
    return text;
}

/* Reads a file of moderate size; NULL when there is none. To be freed. */
static char *read_text(const char *path)
{
    enum { LIMIT = 1 << 20 };
    FILE *in = fopen(path, "re");
    char *text = in == NULL ? NULL : calloc(1, LIMIT + 1);
    if (text != NULL && fread(text, 1, LIMIT, in) == 0) {
        free(text);
        text = NULL;
    }
    if (in != NULL) {
        fclose(in);
    }
    return text;
}

/* Whether a text is no longer, below its mark, what it was written as. */
static bool was_changed(const char *text)
{
    const char *mark = strstr(text, MARK), *program = mark == NULL ? NULL : strchr(mark, '\n');
    if (program == NULL) {
        return true;
    }
    char *end;
    unsigned long long written = strtoull(mark + strlen(MARK), &end, 16);
    return end != program || written != fingerprint_text(FINGERPRINT_NOTHING, program + 1);
}

/* --- Drawing ------------------------------------------------------------------------------------------------------ */

/* Runs gnuplot in the directory; what it has to say goes to our stderr. */
enum sweep_plot_result sweep_plot_run(const char *directory)
{
    enum { NO_PROGRAM = 127 };
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(directory) == 0) {
            (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* stdout is the table's */
            execlp("gnuplot", "gnuplot", "plot.gp", (char *)NULL);
        }
        _exit(NO_PROGRAM);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return SWEEP_PLOT_FAILED;
    }
    bool missing = WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM;
    return status == 0 ? SWEEP_PLOT_DRAWN : missing ? SWEEP_PLOT_NO_GNUPLOT : SWEEP_PLOT_FAILED;
}

static bool write_program(const char *path, const char *text, struct hv_err *err)
{
    struct atomic_file file;
    if (!atomic_file_open(&file, path, err)) {
        return false;
    }
    fputs(text, file.out);
    return atomic_file_commit(&file, err);
}

enum sweep_plot_result sweep_plot_draw(const struct sweep *s, const char *directory, struct hv_err *err)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/plot.gp", directory);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        hv_fail(err, "the name of directory %.80s... is too long", directory);
        return SWEEP_PLOT_NOT_WRITTEN;
    }
    char *there = read_text(path), *text = make_text(s);
    bool keep = there != NULL && was_changed(there);
    bool ok = keep || write_program(path, text, err);
    free(there);
    free(text);
    enum sweep_plot_result result = ok ? sweep_plot_run(directory) : SWEEP_PLOT_NOT_WRITTEN;
    return result == SWEEP_PLOT_DRAWN && keep ? SWEEP_PLOT_KEPT : result;
}
