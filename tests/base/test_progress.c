/* SPDX-License-Identifier: MIT */
/* The progress line: its text, and that only a terminal sees it. */
#include "gtest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"
#include "base/types.h"

#define SECOND UINT64_C(1000000000)

static void the_line_says_share_rate_and_time_left(void **state)
{
    (void)state;
    static const struct {
        uint64_t total, done, elapsed_ns;
        const char *line;
    } rows[] = {
        { 100, 0, 0, "run  0 accesses  0 accesses/s" },
        { 100, 50, SECOND, "run  50%  50 accesses/s  0:01 left" },
        { 1000, 999, SECOND, "run  99%  999 accesses/s  0:01 left" },
        { 1000, 1000, SECOND, "run  100%  1.00k accesses/s  0:00 left" },
        { 100000000, 24600000, 2 * SECOND, "run  24%  12.3M accesses/s  0:07 left" },
        { 3600000, 1000, SECOND, "run  0%  1.00k accesses/s  59:59 left" },
        { 3700000, 1000, SECOND, "run  0%  1.00k accesses/s  1:01:39 left" },
        { 2000000, 999600, SECOND, "run  49%  1.00M accesses/s  0:02 left" },
        { 0, 5000, SECOND, "run  5000 accesses  5.00k accesses/s" },
        { 10, 20, SECOND, "run  20 accesses  20 accesses/s" },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        char line[160];
        struct progress p = { .label = "run", .unit = "accesses", .total = rows[i].total };
        progress_line(&p, rows[i].done, rows[i].elapsed_ns, line, sizeof(line));
        assert_string_equal(line, rows[i].line);
    }
}

/* Draws one line at once and ends it. */
static void draw(FILE *out)
{
    struct progress p;
    progress_init(&p, out, "run", "accesses", 100);
    p.next_ns = 0;
    progress_update(&p, 50);
    progress_update(&p, 51);
    progress_fini(&p);
    progress_update(&p, 52);
    progress_fini(&p);
}

static void a_pipe_sees_nothing(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    FILE *out = fdopen(ends[1], "w");
    assert_non_null(out);
    draw(out);
    fclose(out);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

/* All that was written to a terminal whose other end is closed: what one read() gives may be any part of it. */
static void read_terminal(int terminal, char *text, size_t bytes)
{
    size_t length = 0;
    ssize_t part;
    do {
        part = read(terminal, text + length, bytes - 1 - length);
        length += part > 0 ? (size_t)part : 0;
    } while (part > 0);
    text[length] = '\0';
}

static void a_terminal_sees_one_line_that_goes_away(void **state)
{
    (void)state;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) {
        skip(); /* no pseudo-terminals in this container */
    }
    FILE *out = fopen(ptsname(terminal), "w");
    assert_non_null(out);
    draw(out);
    fclose(out);
    char text[512];
    read_terminal(terminal, text, sizeof(text));
    close(terminal);
    /* One drawing, although there were two updates within a fifth of a second; then the clearing. */
    assert_int_equal(strncmp(text, "\rrun  50%  ", 11), 0);
    const char *clear = "\033[K\r\033[K";
    assert_string_equal(text + strlen(text) - strlen(clear), clear);
    assert_null(strstr(text, "51%"));
}

GTEST_MAIN("Progress", cmocka_unit_test(the_line_says_share_rate_and_time_left), cmocka_unit_test(a_pipe_sees_nothing),
           cmocka_unit_test(a_terminal_sees_one_line_that_goes_away))
