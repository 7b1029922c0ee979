/* SPDX-License-Identifier: MIT */
/* From what SystemC's tracing writes to the file that the user gets. */
#include "gtest.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/types.h"
#include "machine/wave_file.h"

struct place {
    char directory[64];
    char path[128];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    strcpy(place->directory, "/tmp/test_wave_XXXXXX");
    *state = place;
    if (mkdtemp(place->directory) == NULL) {
        return -1;
    }
    snprintf(place->path, sizeof(place->path), "%s/out.vcd", place->directory);
    return 0;
}

/* Nothing but the file itself may be left. */
static int tear_down(void **state)
{
    struct place *place = *state;
    unlink(place->path);
    int result = rmdir(place->directory);
    free(place);
    return result;
}

/* As SystemC names it, and writes it at 5 us of its time. */
static void write_raw(const struct wave_file *w, const char *changes)
{
    char name[PATH_MAX + 8];
    snprintf(name, sizeof(name), "%s.vcd", wave_file_stem(w));
    FILE *raw = fopen(name, "w");
    assert_non_null(raw);
    fprintf(raw, "$date\n     Nov 21, 2026       11:06:54\n$end\n\n$version\n SystemC\n$end\n\n$timescale\n     1 ps\n"
            "$end\n\n$var wire 1 aa x $end\n$enddefinitions  $end\n\n$comment\nat time 5e-06 sec\n$end\n\n"
            "$dumpvars\nb0 aa\n$end\n\n%s", changes);
    fclose(raw);
}

static void time_begins_with_the_measurement(void **state)
{
    const struct place *place = *state;
    struct wave_file w;
    struct hv_err err = {""};
    char text[1024] = "";
    assert_true(wave_file_open(&w, place->path, &err));
    w.begin = 5000000;
    w.end = 5000901;
    write_raw(&w, "#5000250\nb1 aa\n\n#5000900\nb0 aa\n\n#5000901\n");
    assert_true(wave_file_commit(&w, &err));
    FILE *in = fopen(place->path, "r");
    assert_non_null(in);
    assert_true(fread(text, 1, sizeof(text) - 1, in) > 0);
    fclose(in);
    assert_null(strstr(text, "2026"));
    assert_null(strstr(text, "SystemC"));
    assert_null(strstr(text, "5e-06"));
    assert_non_null(strstr(text, "$timescale\n     1 ps\n$end\n$var wire 1 aa x $end\n"));
    const char *changes = strstr(text, "#0\n");
    assert_non_null(changes);
    assert_string_equal(changes, "#0\n$dumpvars\nb0 aa\n$end\n#250\nb1 aa\n#900\nb0 aa\n");
}

static void half_a_file_is_none(void **state)
{
    const struct place *place = *state;
    struct wave_file w;
    struct hv_err err = {""};
    char expected[256];
    assert_true(wave_file_open(&w, place->path, &err));
    w.begin = 5000000;
    w.end = 5000901;
    write_raw(&w, "#5000250\nb1 aa\n\n#50009");
    assert_false(wave_file_commit(&w, &err));
    snprintf(expected, sizeof(expected), "cannot write %s: what SystemC wrote is not whole, the disk may be full",
             place->path);
    assert_string_equal(err.text, expected);
    assert_int_not_equal(access(place->path, F_OK), 0);
}

static void what_is_given_up_leaves_nothing(void **state)
{
    const struct place *place = *state;
    struct wave_file w;
    struct hv_err err = {""};
    assert_true(wave_file_open(&w, place->path, &err));
    wave_file_abort(&w);
    assert_int_not_equal(access(place->path, F_OK), 0);
}

GTEST_MAIN("WaveFile", cmocka_unit_test_setup_teardown(time_begins_with_the_measurement, set_up, tear_down),
           cmocka_unit_test_setup_teardown(half_a_file_is_none, set_up, tear_down),
           cmocka_unit_test_setup_teardown(what_is_given_up_leaves_nothing, set_up, tear_down))
