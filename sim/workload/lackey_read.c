/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "workload/lackey.h"

#define LINE_BYTES 64u
#define ADDRESS_DIGITS 16
#define SIZE_DIGITS 3
#define THREADS_MAX 100000u /* more digits than that are no number of a thread */
#define SHOWN_BYTES 60      /* of a malformed line in a message */

/* The value of each hexadecimal digit, plus one; 0 for every other character. */
static const uint8_t hex_digit[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

void lackey_reader_init(struct lackey_reader *r, const char *name, byte_read_fn *read, void *ctx,
                        enum lackey_tail tail)
{
    memset(r, 0, offsetof(struct lackey_reader, element));
    r->name = name;
    r->read = read;
    r->ctx = ctx;
    r->tail = tail;
}

/* The number of whole lines' bytes among the first `bytes` of text. */
static size_t whole_lines(const char *text, size_t bytes)
{
    const char *last = memrchr(text, '\n', bytes);
    return last == NULL ? 0 : (size_t)(last - text) + 1;
}

/* Moves the last, unfinished line to the front and reads until there is a whole one. */
static bool refill(struct lackey_reader *r, struct hv_err *err)
{
    r->end -= r->pos;
    memmove(r->buffer, r->buffer + r->pos, r->end);
    r->pos = r->lines_end = 0;
    while (r->lines_end == 0 && !r->ended) {
        if (r->end == LACKEY_BUFFER_BYTES) {
            return hv_fail(err, "%s, line %" PRIu64 ": the line is longer than %u bytes; is this lackey's text?",
                           r->name, r->line + 1, LACKEY_BUFFER_BYTES);
        }
        size_t got = r->read(r->ctx, r->buffer + r->end, LACKEY_BUFFER_BYTES - r->end, err);
        if (got == LACKEY_READ_ERROR) {
            return false;
        }
        r->ended = got == 0;
        r->end += got;
        r->lines_end = whole_lines(r->buffer, r->end);
    }
    if (r->lines_end == 0 && r->end > 0 && r->tail == LACKEY_TAIL_PARSE) {
        r->buffer[r->end++] = '\n';
        r->lines_end = r->end;
    }
    return true;
}

struct parsed {
    char letter;
    uint64_t address;
    uint32_t bytes;
};

/* Reads one line, which ends in a newline. Returns what follows it, or NULL when it is not an access. */
static const char *parse_access(const char *at, struct parsed *line)
{
    if (at[0] == 'I' && at[1] == ' ' && at[2] == ' ') {
        line->letter = 'I';
    } else if (at[0] == ' ' && (at[1] == 'L' || at[1] == 'S' || at[1] == 'M') && at[2] == ' ') {
        line->letter = at[1];
    } else {
        return NULL;
    }
    at += 3;
    const char *start = at;
    uint64_t address = 0;
    for (uint8_t digit; (digit = hex_digit[(uint8_t)*at]) != 0; at++) {
        address = address << 4 | (digit - 1u);
    }
    if (at == start || at - start > ADDRESS_DIGITS || *at != ',') {
        return NULL;
    }
    start = ++at;
    uint32_t bytes = 0;
    for (; *at >= '0' && *at <= '9' && at - start < SIZE_DIGITS; at++) {
        bytes = 10 * bytes + (uint32_t)(*at - '0');
    }
    if (*at != '\n' || bytes < 1 || bytes > LACKEY_ACCESS_BYTES || address > UINT64_MAX - (bytes - 1)) {
        return NULL;
    }
    line->address = address;
    line->bytes = bytes;
    return at + 1;
}

/* One element a line of 64 bytes; all after the first belong to its instruction. */
static struct hv_access *emit(struct hv_access *out, const struct parsed *line, enum hv_access_kind kind,
                              uint8_t flags)
{
    uint64_t address = line->address;
    for (uint32_t left = line->bytes; left > 0;) {
        uint32_t room = LINE_BYTES - (uint32_t)(address % LINE_BYTES);
        uint32_t bytes = left < room ? left : room;
        *out++ = (struct hv_access){
            .gva = { address }, .kind = (uint8_t)kind, .flags = flags, .bytes = (uint8_t)bytes
        };
        flags = HV_ACCESS_SAME_INSTRUCTION;
        address += bytes;
        left -= bytes;
    }
    return out;
}

static struct hv_access *emit_line(struct hv_access *out, const struct parsed *line)
{
    if (line->letter == 'I') {
        return emit(out, line, HV_FETCH, 0);
    }
    if (line->letter != 'S') {
        out = emit(out, line, HV_LOAD, HV_ACCESS_SAME_INSTRUCTION);
    }
    if (line->letter != 'L') {
        out = emit(out, line, HV_STORE, HV_ACCESS_SAME_INSTRUCTION);
    }
    return out;
}

static bool is_talk(const char *line, size_t bytes)
{
    return bytes == 1 || (bytes > 2 && line[0] == line[1] && (line[0] == '=' || line[0] == '-' || line[0] == '*'));
}

static bool contains(const char *line, size_t bytes, const char *text)
{
    return memmem(line, bytes, text, strlen(text)) != NULL;
}

/* The thread that runs from a line of talk on, or 0. */
static uint32_t thread_of(const char *line, size_t bytes)
{
    static const char mark[] = "SCHED[";
    const char *at = memmem(line, bytes, mark, sizeof(mark) - 1);
    if (line[0] != '-' || at == NULL || !contains(line, bytes, "acquired lock")) {
        return 0;
    }
    uint32_t thread = 0;
    for (at += sizeof(mark) - 1; *at >= '0' && *at <= '9' && thread < THREADS_MAX; at++) {
        thread = 10 * thread + (uint32_t)(*at - '0');
    }
    return thread;
}

static bool malformed(const struct lackey_reader *r, const char *line, size_t bytes, struct hv_err *err)
{
    char shown[SHOWN_BYTES + 1];
    size_t length = bytes - 1 < SHOWN_BYTES ? bytes - 1 : SHOWN_BYTES;
    for (size_t i = 0; i < length; i++) {
        shown[i] = line[i] >= ' ' && line[i] <= '~' ? line[i] : '?';
    }
    shown[length] = '\0';
    return hv_fail(err, "%s, line %" PRIu64 ": '%s' is not an access of lackey's; expected 'I  ADDRESS,SIZE' or "
                   "' L ADDRESS,SIZE' (also S or M) with a hexadecimal address and 1 to %u bytes",
                   r->name, r->line + 1, shown, LACKEY_ACCESS_BYTES);
}

/*
 * Passes over a line that is no access. False, when the batch has elements already: the line must wait until they are
 * taken. False, when it is the first: it is malformed.
 */
static bool pass_line(struct lackey_reader *r, const char *line, size_t bytes, bool first, struct hv_err *err)
{
    if (!is_talk(line, bytes)) {
        return first && malformed(r, line, bytes, err);
    }
    uint32_t thread = r->thread_starts != NULL ? thread_of(line, bytes) : 0;
    bool starts = thread != 0 && contains(line, bytes, "starting new thread");
    if (thread == 0 || (thread == r->thread && !starts)) {
        return true;
    }
    if (first) {
        r->thread = thread;
        if (starts) {
            r->thread_starts(r->ctx, thread);
        }
    }
    return first;
}

/* Hands out the elements that the last batch had no room for. */
static size_t take_pending(struct lackey_reader *r, struct hv_access *batch, size_t capacity)
{
    size_t count = r->pending_end - r->pending < capacity ? r->pending_end - r->pending : capacity;
    memcpy(batch, r->element + r->pending, count * sizeof(*batch));
    r->pending += count;
    return count;
}

/* The whole lines of the buffer, until they end, the batch is full, or a line has to wait or is malformed. */
static size_t parse_lines(struct lackey_reader *r, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    const char *at = r->buffer + r->pos, *end = r->buffer + r->lines_end;
    struct hv_access *out = batch, *full = batch + capacity;
    struct parsed line;
    bool passed = true;
    while (at < end && out < full) {
        const char *next = parse_access(at, &line);
        if (next == NULL) {
            next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
            passed = pass_line(r, at, (size_t)(next - at), out == batch, err);
            if (!passed) {
                break;
            }
        } else if ((size_t)(full - out) >= LACKEY_LINE_ELEMENTS) {
            out = emit_line(out, &line);
        } else {
            r->pending = 0;
            r->pending_end = (size_t)(emit_line(r->element, &line) - r->element);
            out += take_pending(r, out, (size_t)(full - out));
        }
        at = next;
        r->line++;
    }
    r->pos = (size_t)(at - r->buffer);
    return !passed && out == batch ? LACKEY_READ_ERROR : (size_t)(out - batch);
}

size_t lackey_next(struct lackey_reader *r, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    size_t count = take_pending(r, batch, capacity);
    while (count == 0 && capacity > 0) {
        if (r->pos == r->lines_end) {
            if (r->ended) {
                return 0;
            }
            if (!refill(r, err)) {
                return LACKEY_READ_ERROR;
            }
        }
        count = parse_lines(r, batch, capacity, err);
    }
    return count;
}
