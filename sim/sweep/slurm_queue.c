/* SPDX-License-Identifier: MIT */
#include "sweep/slurm_queue.h"

#include <ctype.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/types.h"
enum { WORDS_MAX = 64 };

/* --- Running a command -------------------------------------------------------------------------------------------- */

/* What a command says, on stdout and stderr. */
struct answer {
    int status;
    char *out, *talk;
};

static char *read_whole(int file)
{
    off_t bytes = lseek(file, 0, SEEK_END);
    char *text = calloc(1, (size_t)bytes + 1);
    HV_ASSERT(text != NULL, "out of memory");
    if (pread(file, text, (size_t)bytes, 0) < 0) {
        text[0] = '\0';
    }
    close(file);
    return text;
}

/* Runs it in a process group of its own, where a Ctrl-C that is meant for us does not reach it. Returns errno. */
static int spawn(const char *const *words, const int files[3], pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    for (int i = 0; i < 3; i++) {
        posix_spawn_file_actions_adddup2(&actions, files[i], i);
    }
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int problem = posix_spawnp(pid, words[0], &actions, &attributes, (char *const *)(uintptr_t)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return problem;
}

static bool fail_spawn(const char *command, int problem, struct hv_err *err)
{
    return problem == ENOENT
               ? hv_fail(err, "--engine slurm needs Slurm's commands, and there is no %s in the PATH; install "
                         "slurm-client, or leave the option out to compute on this machine", command)
               : hv_fail(err, "cannot run %s: %s", command, strerror(problem));
}

/* Files in memory stand for pipes, so that nobody waits for anybody. False when it cannot be run at all. */
static bool run_command(const char *const *words, const char *input, struct answer *a, struct hv_err *err)
{
    int files[3];
    pid_t pid;
    for (int i = 0; i < 3; i++) {
        files[i] = memfd_create(words[0], MFD_CLOEXEC);
        HV_ASSERT(files[i] >= 0, "no file in memory: %s", strerror(errno));
    }
    size_t bytes = strlen(input);
    HV_ASSERT(pwrite(files[0], input, bytes, 0) == (ssize_t)bytes, "out of memory");
    int problem = spawn(words, files, &pid);
    while (problem == 0 && waitpid(pid, &a->status, 0) < 0) {
        HV_ASSERT(errno == EINTR, "lost %s: %s", words[0], strerror(errno));
    }
    close(files[0]);
    a->out = read_whole(files[1]);
    a->talk = read_whole(files[2]);
    return problem == 0 || fail_spawn(words[0], problem, err);
}

static void answer_fini(struct answer *a)
{
    free(a->out);
    free(a->talk);
}

/* The last line of what a command said is its reason, once its name and "error: " are taken away. */
static const char *reason_of(struct answer *a)
{
    static const char mark[] = "error: ";
    size_t length = strlen(a->talk);
    while (length > 0 && isspace((unsigned char)a->talk[length - 1])) {
        a->talk[--length] = '\0';
    }
    const char *line = strrchr(a->talk, '\n');
    line = line == NULL ? a->talk : line + 1;
    const char *error = strstr(line, mark);
    line = error == NULL ? line : error + strlen(mark);
    return *line == '\0' ? "it says nothing" : line;
}

static bool fail_silence(struct answer *a, struct hv_err *err)
{
    return hv_fail(err, "Slurm's controller does not answer: %.300s; `scontrol ping` says whether it is there",
                   reason_of(a));
}

/* --- The cluster -------------------------------------------------------------------------------------------------- */

bool slurm_find_limit(size_t *tasks, struct hv_err *err)
{
    static const char *const words[] = {"scontrol", "show", "config", NULL};
    static const char key[] = "\nMaxArraySize";
    struct answer a = {0};
    bool ok = run_command(words, "", &a, err);
    if (ok && a.status != 0) {
        ok = fail_silence(&a, err);
    } else if (ok) {
        const char *line = strstr(a.out, key);
        unsigned long limit = 0;
        ok = (line != NULL && sscanf(line + strlen(key), " = %lu", &limit) == 1 && limit >= 2) ||
             hv_fail(err, "this cluster has no job arrays, which --engine slurm needs: MaxArraySize of slurm.conf is "
                     "%lu, and has to be 2 or more", limit);
        *tasks = limit - 1; /* a task's number is less than MaxArraySize */
    }
    answer_fini(&a);
    return ok;
}

/* --- Submitting --------------------------------------------------------------------------------------------------- */

struct words {
    const char *items[WORDS_MAX + 1];
    size_t count;
    char options[1024], array[64], name[256];
};

static bool add_word(struct words *w, const char *word)
{
    bool room = w->count < WORDS_MAX;
    if (room) {
        w->items[w->count++] = word;
    }
    return room;
}

/* The user's options come first, so that ours win. */
static bool make_words(struct words *w, const struct slurm_submission *s)
{
    *w = (struct words){.count = 0};
    bool ok = add_word(w, "sbatch");
    if (s->options != NULL) {
        char *rest = w->options, *word;
        ok = (size_t)snprintf(w->options, sizeof(w->options), "%s", s->options) < sizeof(w->options);
        while (ok && (word = strsep(&rest, " \t")) != NULL) {
            ok = word[0] == '\0' || add_word(w, word);
        }
    }
    int used = snprintf(w->array, sizeof(w->array), "--array=1-%zu", s->tasks);
    if (s->at_once > 0) {
        snprintf(w->array + used, sizeof(w->array) - (size_t)used, "%%%u", s->at_once);
    }
    snprintf(w->name, sizeof(w->name), "--job-name=%s", s->name);
    return ok && add_word(w, "--parsable") && add_word(w, w->name) && add_word(w, w->array) &&
           add_word(w, "--output=/dev/null") && add_word(w, "--error=/dev/null");
}

static bool fail_words(struct hv_err *err)
{
    return hv_fail(err, "--slurm-options has too many options; put them into SBATCH_ variables of the environment");
}

bool slurm_submit(const struct slurm_submission *submission, uint64_t *job, struct hv_err *err)
{
    struct words words;
    struct answer a = {0};
    unsigned long long number;
    bool ok = (make_words(&words, submission) || fail_words(err)) &&
              run_command(words.items, submission->script, &a, err) &&
              ((a.status == 0 && sscanf(a.out, "%llu", &number) == 1) ||
               hv_fail(err, "sbatch does not take the job: %.300s", reason_of(&a)));
    if (ok) {
        *job = number;
    }
    answer_fini(&a);
    return ok;
}

void slurm_print_submission(const struct slurm_submission *submission, FILE *out)
{
    struct words words;
    (void)make_words(&words, submission);
    for (size_t i = 0; i < words.count; i++) {
        fprintf(out, "%s ", words.items[i]);
    }
    fprintf(out, "<<'END'\n%sEND\n", submission->script);
}

/* --- Looking ------------------------------------------------------------------------------------------------------ */

static const struct slurm_end ends[] = {
    {"COMPLETED", "ended without a report", true, true},
    {"FAILED", NULL, true, true},
    {"CANCELLED", "was cancelled", true, false},
    {"NODE_FAIL", "lost its node", true, false},
    {"BOOT_FAIL", "was given a node that did not start", true, false},
    {"PREEMPTED", "had to make room for other jobs", true, false},
    {"REVOKED", "was revoked", true, false},
    {"TIMEOUT", "ran into its time limit; ask for more time with --slurm-options=--time=...", false, false},
    {"DEADLINE", "missed its deadline", false, false},
    {"OUT_OF_MEMORY", "ran out of memory; ask for more with --slurm-options=--mem=...", false, false},
};

/* The columns of squeue and their widths; a name that does not fit is cut. */
#define COLUMNS(C) \
    C(JOB, "ArrayJobID", 20) C(TASK, "ArrayTaskID", 20) C(STATE, "State", 24) C(STATUS, "exit_code", 12) \
    C(START, "StartTime", 24) C(NODE, "NodeList", 60) C(REASON, "Reason", 60)

#define COLUMN_ENUM(name, title, width) COLUMN_##name,
#define COLUMN_WIDTH(name, title, width) width,
#define COLUMN_FORMAT(name, title, width) title ":" #width ","
enum { COLUMNS(COLUMN_ENUM) COLUMN_COUNT };
static const size_t widths[] = {COLUMNS(COLUMN_WIDTH)};

/* Cuts a line into its columns. */
static bool cut(const char *line, size_t length, char cells[COLUMN_COUNT][64])
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        size_t taken = widths[i] < length ? widths[i] : length;
        memcpy(cells[i], line, taken);
        while (taken > 0 && cells[i][taken - 1] == ' ') {
            taken--;
        }
        cells[i][taken] = '\0';
        line += widths[i] < length ? widths[i] : length;
        length -= widths[i] < length ? widths[i] : length;
    }
    return isdigit((unsigned char)cells[COLUMN_JOB][0]) && isdigit((unsigned char)cells[COLUMN_TASK][0]);
}

static struct slurm_row read_row(char cells[COLUMN_COUNT][64])
{
    struct slurm_row row = {
        .job = strtoull(cells[COLUMN_JOB], NULL, 10), .task = strtoull(cells[COLUMN_TASK], NULL, 10),
        .status = atoi(cells[COLUMN_STATUS]), .began = cells[COLUMN_NODE][0] != '\0',
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(ends); i++) {
        row.end = strcmp(cells[COLUMN_STATE], ends[i].state) == 0 ? &ends[i] : row.end;
    }
    strcpy(row.node, cells[COLUMN_NODE]);
    strcpy(row.reason, cells[COLUMN_REASON]);
    return row;
}

void slurm_read_queue(const char *text, struct slurm_queue *queue)
{
    char cells[COLUMN_COUNT][64];
    size_t room = 0;
    *queue = (struct slurm_queue){NULL, 0};
    for (size_t length; *text != '\0'; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        if (cut(text, length, cells)) {
            if (queue->count == room) {
                room = 2 * room + 16;
                queue->rows = reallocarray(queue->rows, room, sizeof(*queue->rows));
                HV_ASSERT(queue->rows != NULL, "out of memory");
            }
            queue->rows[queue->count++] = read_row(cells);
        }
    }
}

bool slurm_look(const char *name, struct slurm_queue *queue, struct hv_err *err)
{
    char wanted[256];
    const char *const words[] = {"squeue", "--me", "--array", "--noheader", "--states=all", wanted,
                                 "--Format=" COLUMNS(COLUMN_FORMAT), NULL};
    struct answer a = {0};
    snprintf(wanted, sizeof(wanted), "--name=%s", name);
    bool ok = run_command(words, "", &a, err) && (a.status == 0 || fail_silence(&a, err));
    *queue = (struct slurm_queue){NULL, 0};
    if (ok) {
        slurm_read_queue(a.out, queue);
    }
    answer_fini(&a);
    return ok;
}

void slurm_queue_fini(struct slurm_queue *queue)
{
    free(queue->rows);
    *queue = (struct slurm_queue){NULL, 0};
}

bool slurm_cancel(const char *name, struct hv_err *err)
{
    char wanted[256];
    const char *const words[] = {"scancel", "--me", wanted, NULL};
    struct answer a = {0};
    snprintf(wanted, sizeof(wanted), "--name=%s", name);
    bool ok = run_command(words, "", &a, err) && (a.status == 0 || fail_silence(&a, err));
    answer_fini(&a);
    return ok;
}
