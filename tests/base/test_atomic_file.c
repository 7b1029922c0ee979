/* SPDX-License-Identifier: MIT */
/* Whatever fails, the old file stays and nothing is left beside it. Every test has a directory of its own. */
#include "gtest.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/types.h"

struct place {
    char directory[64];
    char path[128];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    strcpy(place->directory, "/tmp/test_atomic_XXXXXX");
    *state = place;
    if (mkdtemp(place->directory) == NULL) {
        return -1;
    }
    snprintf(place->path, sizeof(place->path), "%s/result.json", place->directory);
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    unlink(place->path);
    int result = rmdir(place->directory);
    free(place);
    return result;
}

static size_t count_files(const char *directory)
{
    size_t count = 0;
    DIR *dir = opendir(directory);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(dir);
    return count;
}

static void write_old(const struct place *place)
{
    FILE *out = fopen(place->path, "w");
    assert_non_null(out);
    fputs("old", out);
    fclose(out);
}

static void assert_content(const struct place *place, const char *expected)
{
    char text[64] = "";
    FILE *in = fopen(place->path, "r");
    assert_non_null(in);
    assert_int_equal(fread(text, 1, sizeof(text) - 1, in), strlen(expected));
    fclose(in);
    assert_string_equal(text, expected);
}

static void a_commit_replaces_the_old_file_at_once(void **state)
{
    const struct place *place = *state;
    struct atomic_file file;
    struct hv_err err = { "" };
    write_old(place);
    assert_true(atomic_file_open(&file, place->path, &err));
    fputs("new content", file.out);
    fflush(file.out);
    assert_content(place, "old");
    assert_true(atomic_file_commit(&file, &err));
    assert_content(place, "new content");
    assert_int_equal(count_files(place->directory), 1);
}

static void a_new_file_has_the_usual_permissions(void **state)
{
    const struct place *place = *state;
    struct atomic_file file;
    struct hv_err err = { "" };
    struct stat status;
    mode_t mask = umask(022);
    assert_true(atomic_file_open(&file, place->path, &err));
    assert_true(atomic_file_commit(&file, &err));
    umask(mask);
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0644);
    assert_content(place, "");
}

static void an_abort_leaves_the_old_file(void **state)
{
    const struct place *place = *state;
    struct atomic_file file;
    struct hv_err err = { "" };
    write_old(place);
    assert_true(atomic_file_open(&file, place->path, &err));
    fputs("new", file.out);
    atomic_file_abort(&file);
    atomic_file_abort(&file);
    assert_content(place, "old");
    assert_int_equal(count_files(place->directory), 1);
}

static void two_writers_do_not_meet(void **state)
{
    const struct place *place = *state;
    struct atomic_file first, second;
    struct hv_err err = { "" };
    assert_true(atomic_file_open(&first, place->path, &err));
    assert_true(atomic_file_open(&second, place->path, &err));
    fputs("first", first.out);
    fputs("second", second.out);
    assert_true(atomic_file_commit(&second, &err));
    assert_content(place, "second");
    assert_true(atomic_file_commit(&first, &err));
    assert_content(place, "first");
    assert_int_equal(count_files(place->directory), 1);
}

/* /dev/full accepts nothing; put under the open stream, it is the disk that has become full. */
static void fill_the_disk(const struct atomic_file *file)
{
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    assert_true(dup2(full, fileno(file->out)) >= 0);
    close(full);
}

static void assert_full_disk(const struct place *place, struct atomic_file *file)
{
    struct hv_err err = { "" };
    char expected[256];
    assert_false(atomic_file_commit(file, &err));
    snprintf(expected, sizeof(expected), "cannot write %s: No space left on device", place->path);
    assert_string_equal(err.text, expected);
    assert_content(place, "old");
    assert_int_equal(count_files(place->directory), 1);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    const struct place *place = *state;
    struct atomic_file file;
    struct hv_err err = { "" };
    write_old(place);
    assert_true(atomic_file_open(&file, place->path, &err));
    fill_the_disk(&file);
    fputs("new", file.out);
    assert_full_disk(place, &file);
}

/* More than a buffer: a write in the middle fails, not the last flush. */
static void a_disk_that_fills_up_early_is_noticed(void **state)
{
    const struct place *place = *state;
    struct atomic_file file;
    struct hv_err err = { "" };
    write_old(place);
    assert_true(atomic_file_open(&file, place->path, &err));
    fill_the_disk(&file);
    for (int i = 0; i < 100000; i++) {
        fputs("0123456789", file.out);
    }
    assert_full_disk(place, &file);
}

/* A limit on the size of files fails the second block, then there is room again: the loss must still be seen. */
static void a_write_that_failed_before_is_not_forgotten(void **state)
{
    const struct place *place = *state;
    struct atomic_file file;
    struct hv_err err = { "" };
    write_old(place);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old_limit, limit;
    getrlimit(RLIMIT_FSIZE, &old_limit);
    limit = old_limit;
    limit.rlim_cur = 4096;
    assert_true(atomic_file_open(&file, place->path, &err));
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < 60000; i++) {
        fputs("0123456789", file.out);
    }
    setrlimit(RLIMIT_FSIZE, &old_limit);
    assert_false(atomic_file_commit(&file, &err));
    assert_content(place, "old");
    assert_int_equal(count_files(place->directory), 1);
}

static void unwritable_places_are_named(void **state)
{
    const struct place *place = *state;
    struct atomic_file file;
    char path[256], expected[512];
    struct hv_err missing = { "" }, under_file = { "" }, directory = { "" }, device = { "" }, long_name = { "" };
    assert_false(atomic_file_open(&file, "/no/such/dir/x", &missing));
    assert_string_equal(missing.text, "cannot write /no/such/dir/x: No such file or directory");
    write_old(place);
    snprintf(path, sizeof(path), "%s/x", place->path);
    snprintf(expected, sizeof(expected), "cannot write %s: Not a directory", path);
    assert_false(atomic_file_open(&file, path, &under_file));
    assert_string_equal(under_file.text, expected);
    assert_false(atomic_file_open(&file, "/tmp", &directory));
    assert_string_equal(directory.text, "cannot write /tmp: it exists and is not a regular file");
    assert_false(atomic_file_open(&file, "/dev/full", &device));
    assert_string_equal(device.text, "cannot write /dev/full: it exists and is not a regular file");
    char long_path[2 * PATH_MAX];
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_false(atomic_file_open(&file, long_path, &long_name));
    /* A failed open leaves nothing to give up, and giving up is harmless. */
    atomic_file_abort(&file);
}

static void a_target_that_became_a_directory_is_an_error(void **state)
{
    const struct place *place = *state;
    struct atomic_file file;
    struct hv_err err = { "" };
    assert_true(atomic_file_open(&file, place->path, &err));
    assert_int_equal(mkdir(place->path, 0777), 0);
    assert_false(atomic_file_commit(&file, &err));
    assert_int_equal(rmdir(place->path), 0);
    assert_int_equal(count_files(place->directory), 0);
}

static void directories_are_made_with_those_above(void **state)
{
    const struct place *place = *state;
    char deep[256], with_slash[300];
    struct stat status;
    struct hv_err err = { "" };
    snprintf(deep, sizeof(deep), "%s/a/b/c", place->directory);
    snprintf(with_slash, sizeof(with_slash), "%s/", deep);
    assert_true(dir_create(deep, &err));
    assert_true(dir_create(deep, &err));
    assert_true(dir_create(with_slash, &err));
    assert_int_equal(stat(deep, &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rmdir(deep), 0);
        *strrchr(deep, '/') = '\0';
    }
}

static void a_file_in_the_way_of_a_directory_is_named(void **state)
{
    const struct place *place = *state;
    char below[256], expected[512];
    struct hv_err err = { "" };
    write_old(place);
    snprintf(below, sizeof(below), "%s/x", place->path);
    snprintf(expected, sizeof(expected), "cannot create directory %s: it exists as a file", place->path);
    assert_false(dir_create(below, &err));
    assert_string_equal(err.text, expected);
}

static void directories_that_cannot_be_are_named(void **state)
{
    (void)state;
    char long_path[2 * PATH_MAX];
    struct hv_err nowhere = { "" }, long_name = { "" };
    assert_false(dir_create("/proc/no/such", &nowhere));
    assert_string_equal(nowhere.text, "cannot create directory /proc/no: No such file or directory");
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_false(dir_create(long_path, &long_name));
    assert_int_equal(strncmp(long_name.text, "cannot create directory xxx", 27), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

GTEST_MAIN("AtomicFile", TEST(a_commit_replaces_the_old_file_at_once), TEST(a_new_file_has_the_usual_permissions),
           TEST(an_abort_leaves_the_old_file), TEST(two_writers_do_not_meet), TEST(a_full_disk_leaves_the_old_file),
           TEST(a_disk_that_fills_up_early_is_noticed), TEST(a_write_that_failed_before_is_not_forgotten),
           TEST(unwritable_places_are_named), TEST(a_target_that_became_a_directory_is_an_error),
           TEST(directories_are_made_with_those_above), TEST(a_file_in_the_way_of_a_directory_is_named),
           TEST(directories_that_cannot_be_are_named))
