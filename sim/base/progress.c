/* SPDX-License-Identifier: MIT */
#include "base/progress.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define REDRAW_NS (NS_PER_SECOND / 5)

static uint64_t wall_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

void progress_init(struct progress *p, FILE *out, const char *label, const char *unit, uint64_t total)
{
    *p = (struct progress){ .label = label, .unit = unit, .total = total };
    if (isatty(fileno(out))) {
        p->out = out;
        p->start_ns = wall_clock_ns();
        /* Work that is over at once shows no line. */
        p->next_ns = p->start_ns + REDRAW_NS;
    }
}

/* "950", "12.3k", "4.56M": three significant digits. */
static void format_rate(double rate, char *text, size_t bytes)
{
    static const char letters[] = { 'k', 'M', 'G', 'T' };
    if (rate < 1000) {
        snprintf(text, bytes, "%.3g", rate);
        return;
    }
    size_t i = 0;
    for (rate /= 1000; rate >= 999.5 && i + 1 < sizeof(letters); i++) {
        rate /= 1000;
    }
    snprintf(text, bytes, "%.*f%c", rate < 9.995 ? 2 : rate < 99.95 ? 1 : 0, rate, letters[i]);
}

static void format_time(uint64_t seconds, char *text, size_t bytes)
{
    if (seconds < 3600) {
        snprintf(text, bytes, "%" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
    } else {
        snprintf(text, bytes, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
}

void progress_line(const struct progress *p, uint64_t done, uint64_t elapsed_ns, char *text, size_t bytes)
{
    char rate_text[32], time_text[32];
    double seconds = (double)elapsed_ns / (double)NS_PER_SECOND;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    format_rate(rate, rate_text, sizeof(rate_text));
    if (p->total == 0 || done > p->total || rate <= 0) {
        snprintf(text, bytes, "%s  %" PRIu64 " %s  %s %s/s", p->label, done, p->unit, rate_text, p->unit);
        return;
    }
    /* Rounded up, so that 0:00 means done. */
    double left = (double)(p->total - done) / rate;
    format_time((uint64_t)left + (left > (double)(uint64_t)left), time_text, sizeof(time_text));
    unsigned percent = (unsigned)((double)done / (double)p->total * 100);
    snprintf(text, bytes, "%s  %u%%  %s %s/s  %s left", p->label, percent, rate_text, p->unit, time_text);
}

void progress_update(struct progress *p, uint64_t done)
{
    if (p->out == NULL) {
        return;
    }
    uint64_t now = wall_clock_ns();
    if (now < p->next_ns) {
        return;
    }
    p->next_ns = now + REDRAW_NS;
    char line[160];
    progress_line(p, done, now - p->start_ns, line, sizeof(line));
    /* Back to the first column; clear what a longer line left behind. */
    fprintf(p->out, "\r%s\033[K", line);
    fflush(p->out);
}

void progress_fini(struct progress *p)
{
    if (p->out != NULL) {
        fputs("\r\033[K", p->out);
        fflush(p->out);
        p->out = NULL;
    }
}
