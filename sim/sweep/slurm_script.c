/* SPDX-License-Identifier: MIT */
/* The two sides of a task: the script that Slurm is given, and what the hvsim that it starts does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "sweep/slurm_run.h"

/* --- The script --------------------------------------------------------------------------------------------------- */

/* Text as one word of the shell. */
static void quote(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
        } else {
            fputc(*text, out);
        }
    }
    fputc('\'', out);
}

static void write_line(FILE *out, const char *before, const char *path, const char *after)
{
    fputs(before, out);
    quote(out, path);
    fputs(after, out);
}

char *slurm_run_script(const struct slurm_run *r, const struct sweep *s, const char *program)
{
    char *text = NULL, here[PATH_MAX];
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    HV_ASSERT(out != NULL, "out of memory");
    HV_ASSERT(getcwd(here, sizeof(here)) != NULL, "no working directory: %s", strerror(errno));
    fprintf(out, "#!/bin/sh\n# A task of sweep %s. Exit codes from %d on: this node lacks a file that it has to see.\n",
            s->name, SLURM_NO_RESULTS);
    write_line(out, "run=", r->directory, "\n");
    fprintf(out, "[ -r \"$run/tasks\" ] && [ -w \"$run\" ] || exit %d\n", SLURM_NO_RESULTS);
    write_line(out, "cd ", here, "");
    fprintf(out, " || exit %d\n", SLURM_NO_FOLDER);
    write_line(out, "[ -x ", program, " ]");
    fprintf(out, " || exit %d\nexec >\"$run/$SLURM_ARRAY_TASK_ID.log\" 2>&1\n", SLURM_NO_PROGRAM);
    write_line(out, "exec ", program, " sweep --out ");
    quote(out, r->results);
    for (size_t i = 0; i < s->set_count; i++) {
        write_line(out, " --set ", s->sets[i], "");
    }
    fprintf(out, " -j \"${SLURM_CPUS_PER_TASK:-1}\" --task \"%u/$SLURM_ARRAY_TASK_ID\" -- ", r->number);
    quote(out, s->doc.file);
    fputc('\n', out);
    fclose(out);
    return text;
}

/* --- The task ----------------------------------------------------------------------------------------------------- */

/* The points of a task, by the local engine: they share preparations, and one that dies does not take the others. */
static bool compute(const struct sweep_job *job, const struct slurm_run *r, size_t task,
                    struct sweep_outcome *outcomes, struct hv_err *err)
{
    struct sweep_job part = *job;
    part.points = &r->points[r->tasks[task].first];
    part.count = r->tasks[task].count;
    part.outcomes = outcomes;
    return sweep_engine_local.run(&part, err);
}

static void refuse(struct sweep_outcome *outcomes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        outcomes[i] = (struct sweep_outcome){.end = SWEEP_FAILED};
        snprintf(outcomes[i].reason, sizeof(outcomes[i].reason),
                 "the sweep, a file that it names, or hvsim is another than when its job was submitted");
    }
}

/* A task that is interrupted does not report, so that it counts as what ended it. */
static bool run_task(const struct sweep_job *job, const struct slurm_run *r, size_t task, bool *failed,
                     struct hv_err *err)
{
    size_t count = r->tasks[task].count;
    struct sweep_outcome *outcomes = calloc(count + 1, sizeof(*outcomes));
    HV_ASSERT(outcomes != NULL, "out of memory");
    bool ok = true;
    if (r->matches) {
        ok = compute(job, r, task, outcomes, err);
    } else {
        refuse(outcomes, count);
    }
    ok = ok && (interrupt_requested() || slurm_report_write(r, task, outcomes, err));
    for (size_t i = 0; i < count; i++) {
        *failed = *failed || outcomes[i].end == SWEEP_FAILED;
    }
    free(outcomes);
    return ok;
}

bool slurm_run_task(const struct sweep_job *job, const char *task, bool *failed, struct hv_err *err)
{
    struct slurm_run r;
    unsigned run;
    size_t number;
    *failed = false;
    if (sscanf(task, "%u/%zu", &run, &number) != 2) {
        return hv_fail(err, "--task takes RUN/TASK");
    }
    bool ok = slurm_run_init(&r, job->directory, run, err) && slurm_run_read(&r, job->sweep, err) &&
              ((number >= 1 && number <= r.task_count) ||
               hv_fail(err, "--task takes a task from 1 to %zu", r.task_count)) &&
              run_task(job, &r, number - 1, failed, err);
    slurm_run_fini(&r);
    return ok;
}
