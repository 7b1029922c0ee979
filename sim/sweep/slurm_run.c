/* SPDX-License-Identifier: MIT */
#include "sweep/slurm_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "sweep/fingerprint.h"

static const char FOLDER[] = "slurm";

enum { LOG_BYTES = 4000 };

/* From the root, since tasks begin elsewhere; a dry run asks before there is such a directory. */
static bool find_results(char path[PATH_MAX], const char *results)
{
    char here[PATH_MAX] = "";
    if (realpath(results, path) != NULL) {
        return true;
    }
    if (errno != ENOENT || (results[0] != '/' && getcwd(here, sizeof(here)) == NULL)) {
        return false;
    }
    int length = snprintf(path, PATH_MAX, "%s%s%s", here, results[0] != '/' ? "/" : "", results);
    return length > 0 && length < PATH_MAX;
}

bool slurm_run_init(struct slurm_run *r, const char *results, unsigned number, struct hv_err *err)
{
    *r = (struct slurm_run){.number = number};
    if (!find_results(r->results, results)) {
        return hv_fail(err, "cannot tell where directory %s lies: %s", results, strerror(errno));
    }
    snprintf(r->directory, sizeof(r->directory), "%s/%s/%u", r->results, FOLDER, number);
    snprintf(r->name, sizeof(r->name), "hvsim-%016llx-%u",
             (unsigned long long)fingerprint_text(FINGERPRINT_NOTHING, r->results), number);
    return true;
}

void slurm_run_fini(struct slurm_run *r)
{
    free(r->tasks);
    free(r->points);
    *r = (struct slurm_run){.number = 0};
}

struct file_name {
    char path[PATH_MAX + 96];
};

static struct file_name file_of(const struct slurm_run *r, size_t task, const char *ending)
{
    struct file_name name;
    snprintf(name.path, sizeof(name.path), "%s/%zu.%s", r->directory, task + 1, ending);
    return name;
}

static struct file_name tasks_file(const struct slurm_run *r)
{
    struct file_name name;
    snprintf(name.path, sizeof(name.path), "%s/tasks", r->directory);
    return name;
}

/* --- Directories -------------------------------------------------------------------------------------------------- */

static DIR *open_runs(const char *results)
{
    struct file_name name;
    int length = snprintf(name.path, sizeof(name.path), "%s/%s", results, FOLDER);
    return length > 0 && (size_t)length < sizeof(name.path) ? opendir(name.path) : NULL;
}

unsigned slurm_run_newest(const char *results)
{
    DIR *runs = open_runs(results);
    unsigned long newest = 0;
    for (const struct dirent *entry; runs != NULL && (entry = readdir(runs)) != NULL;) {
        unsigned long number = strtoul(entry->d_name, NULL, 10);
        newest = number > newest && number < UINT_MAX ? number : newest;
    }
    if (runs != NULL) {
        closedir(runs);
    }
    return (unsigned)newest;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* One level below `parent`: a run has no folders. */
static void remove_run(int parent, const char *name)
{
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = folder < 0 ? NULL : fdopendir(folder);
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (!is_dots(entry->d_name)) {
            (void)unlinkat(folder, entry->d_name, 0);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

void slurm_run_remove_all(const char *results)
{
    DIR *runs = open_runs(results);
    if (runs == NULL) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(runs)) != NULL;) {
        if (!is_dots(entry->d_name)) {
            remove_run(dirfd(runs), entry->d_name);
        }
    }
    closedir(runs);
    struct file_name name;
    snprintf(name.path, sizeof(name.path), "%s/%s", results, FOLDER);
    (void)rmdir(name.path);
}

/* --- Tasks -------------------------------------------------------------------------------------------------------- */

void slurm_run_divide(struct slurm_run *r, const size_t *points, size_t count, size_t points_per_task)
{
    r->point_count = count;
    r->task_count = (count + points_per_task - 1) / points_per_task;
    r->points = calloc(count + 1, sizeof(*r->points));
    r->tasks = calloc(r->task_count + 1, sizeof(*r->tasks));
    HV_ASSERT(r->points != NULL && r->tasks != NULL, "out of memory");
    memcpy(r->points, points, count * sizeof(*points));
    for (size_t t = 0; t < r->task_count; t++) {
        size_t first = t * points_per_task, left = count - first;
        r->tasks[t].first = first;
        r->tasks[t].count = left < points_per_task ? left : points_per_task;
    }
}

bool slurm_run_write(const struct slurm_run *r, const struct sweep *s, struct hv_err *err)
{
    struct atomic_file file;
    if (!dir_create(r->directory, err) || !atomic_file_open(&file, tasks_file(r).path, err)) {
        return false;
    }
    for (size_t t = 0; t < r->task_count; t++) {
        for (size_t i = 0; i < r->tasks[t].count; i++) {
            size_t point = r->points[r->tasks[t].first + i];
            fprintf(file.out, "%s%zu:%016llx", i > 0 ? " " : "", point + 1, (unsigned long long)s->points[point].key);
        }
        fputc('\n', file.out);
    }
    return atomic_file_commit(&file, err);
}

/* Adds a point to the last task. Of another sweep, all that counts is how many there are. */
static void add_point(struct slurm_run *r, const struct sweep *s, unsigned long long number, uint64_t key)
{
    bool known = number >= 1 && number <= s->point_count && s->points[number - 1].key == key;
    r->points = reallocarray(r->points, r->point_count + 1, sizeof(*r->points));
    HV_ASSERT(r->points != NULL, "out of memory");
    r->points[r->point_count++] = known ? (size_t)number - 1 : 0;
    r->tasks[r->task_count - 1].count++;
    r->matches = r->matches && known;
}

static void add_task(struct slurm_run *r, const struct sweep *s, const char *line)
{
    unsigned long long number, key;
    int used;
    r->tasks = reallocarray(r->tasks, r->task_count + 1, sizeof(*r->tasks));
    HV_ASSERT(r->tasks != NULL, "out of memory");
    r->tasks[r->task_count++] = (struct slurm_task){.first = r->point_count};
    for (; sscanf(line, "%llu:%llx%n", &number, &key, &used) == 2; line += used) {
        add_point(r, s, number, key);
    }
}

bool slurm_run_read(struct slurm_run *r, const struct sweep *s, struct hv_err *err)
{
    FILE *in = fopen(tasks_file(r).path, "re");
    char *line = NULL;
    size_t room = 0;
    if (in == NULL) {
        return hv_fail(err, "cannot read %s: %s", tasks_file(r).path, strerror(errno));
    }
    r->matches = true;
    while (getline(&line, &room, in) > 0) {
        add_task(r, s, line);
    }
    free(line);
    fclose(in);
    return true;
}

/* --- Reports ------------------------------------------------------------------------------------------------------ */

void slurm_run_find_reports(struct slurm_run *r)
{
    static const char ending[] = ".report";
    DIR *directory = opendir(r->directory);
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        char *end;
        unsigned long task = strtoul(entry->d_name, &end, 10);
        if (task >= 1 && task <= r->task_count && strcmp(end, ending) == 0) {
            r->tasks[task - 1].reported = true;
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

static const char COMPUTED[] = "computed", FAILED[] = "failed ", KILLED[] = "killed ", NOT_RUN[] = "not run";

/* A reason may hold a file's name, and that a line's end. */
static void write_line(FILE *out, const struct sweep_outcome *o)
{
    const char *word = o->end == SWEEP_COMPUTED ? COMPUTED
                       : o->end == SWEEP_NOT_RUN ? NOT_RUN
                       : o->killed               ? KILLED
                                                 : FAILED;
    fputs(word, out);
    for (const char *c = o->reason; o->end == SWEEP_FAILED && *c != '\0'; c++) {
        fputc(*c == '\n' ? ' ' : *c, out);
    }
    fputc('\n', out);
}

bool slurm_report_write(const struct slurm_run *r, size_t task, const struct sweep_outcome *outcomes,
                        struct hv_err *err)
{
    struct atomic_file file;
    if (!atomic_file_open(&file, file_of(r, task, "report").path, err)) {
        return false;
    }
    for (size_t i = 0; i < r->tasks[task].count; i++) {
        write_line(file.out, &outcomes[i]);
    }
    return atomic_file_commit(&file, err);
}

static void read_line(char *line, struct sweep_outcome *o)
{
    line[strcspn(line, "\n")] = '\0';
    bool killed = strncmp(line, KILLED, strlen(KILLED)) == 0;
    if (strcmp(line, COMPUTED) == 0) {
        *o = (struct sweep_outcome){.end = SWEEP_COMPUTED};
    } else if (killed || strncmp(line, FAILED, strlen(FAILED)) == 0) {
        *o = (struct sweep_outcome){.end = SWEEP_FAILED, .killed = killed};
        snprintf(o->reason, sizeof(o->reason), "%s", strchr(line, ' ') + 1);
    }
}

void slurm_report_read(const struct slurm_run *r, size_t task, struct sweep_outcome *outcomes)
{
    FILE *in = fopen(file_of(r, task, "report").path, "re");
    char line[sizeof(outcomes->reason) + 32];
    for (size_t i = 0; in != NULL && i < r->tasks[task].count && fgets(line, sizeof(line), in) != NULL; i++) {
        read_line(line, &outcomes[i]);
    }
    if (in != NULL) {
        fclose(in);
    }
}

void slurm_log_copy(const struct slurm_run *r, size_t task, FILE *out)
{
    FILE *in = fopen(file_of(r, task, "log").path, "re");
    char text[LOG_BYTES];
    if (in == NULL) {
        return;
    }
    if (fseek(in, -LOG_BYTES, SEEK_END) != 0) {
        rewind(in);
    }
    fwrite(text, 1, fread(text, 1, sizeof(text), in), out);
    fclose(in);
}
