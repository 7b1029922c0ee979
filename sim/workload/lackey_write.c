/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "workload/lackey.h"

#define LINE_BYTES 64u
#define TEXT_LINE_BYTES 32u /* "I  " + 16 digits + ",512\n", and some */
#define ADDRESS_DIGITS_MIN 8

static const char letter_of[HV_ACCESS_KINDS] = { [HV_LOAD] = 'L', [HV_STORE] = 'S', [HV_FETCH] = 'I' };

static bool flush(struct lackey_writer *w, struct hv_err *err)
{
    size_t used = w->used;
    w->used = 0;
    return used == 0 || byte_sink_write(w->sink, w->buffer, used, err);
}

bool lackey_writer_init(struct lackey_writer *w, struct byte_sink *sink, const char *command, struct hv_err *err)
{
    static const char talk[] = "==0== Command: ";
    w->sink = sink;
    w->load.letter = w->line.letter = 0;
    w->used = 0;
    return byte_sink_write(sink, talk, sizeof(talk) - 1, err) &&
           byte_sink_write(sink, command, strlen(command), err) && byte_sink_write(sink, "\n", 1, err);
}

static bool print(struct lackey_writer *w, const struct lackey_line *line, char letter, struct hv_err *err)
{
    if (w->used + TEXT_LINE_BYTES > LACKEY_BUFFER_BYTES && !flush(w, err)) {
        return false;
    }
    char *at = w->buffer + w->used;
    *at++ = letter == 'I' ? 'I' : ' ';
    *at++ = letter == 'I' ? ' ' : letter;
    *at++ = ' ';
    unsigned digits = line->address == 0 ? 1 : (67u - (unsigned)__builtin_clzll(line->address)) / 4;
    for (unsigned left = digits < ADDRESS_DIGITS_MIN ? ADDRESS_DIGITS_MIN : digits; left > 0; left--) {
        *at++ = "0123456789abcdef"[line->address >> (4 * (left - 1)) & 15];
    }
    *at++ = ',';
    for (uint32_t power = line->bytes >= 100 ? 100 : line->bytes >= 10 ? 10 : 1; power > 0; power /= 10) {
        *at++ = (char)('0' + line->bytes / power % 10);
    }
    *at++ = '\n';
    w->used = (size_t)(at - w->buffer);
    return true;
}

/* Prints and empties what is held back: a load and a store of the same bytes are a modify, as in lackey's output. */
static bool print_held(struct lackey_writer *w, struct hv_err *err)
{
    struct lackey_line load = w->load, line = w->line;
    w->load.letter = w->line.letter = 0;
    if (load.letter != 0 && load.address == line.address && load.bytes == line.bytes) {
        return print(w, &line, 'M', err);
    }
    return (load.letter == 0 || print(w, &load, 'L', err)) && (line.letter == 0 || print(w, &line, line.letter, err));
}

/* Whether the element is the next piece of an access that was split at a line of 64 bytes. */
static bool continues(const struct lackey_line *line, const struct hv_access *access)
{
    return access->flags & HV_ACCESS_SAME_INSTRUCTION && line->letter == letter_of[access->kind] &&
           access->gva.v % LINE_BYTES == 0 && access->gva.v == line->address + line->bytes &&
           line->bytes + access->bytes <= LACKEY_ACCESS_BYTES;
}

static bool add_one(struct lackey_writer *w, const struct hv_access *access, struct hv_err *err)
{
    if (continues(&w->line, access)) {
        w->line.bytes += access->bytes;
        return true;
    }
    bool may_modify = w->line.letter == 'L' && access->kind == HV_STORE && access->gva.v == w->line.address &&
                      access->flags & HV_ACCESS_SAME_INSTRUCTION;
    if (may_modify) {
        w->load = w->line;
    } else if (!print_held(w, err)) {
        return false;
    }
    w->line = (struct lackey_line){ letter_of[access->kind], access->gva.v, access->bytes };
    return true;
}

bool lackey_writer_add(struct lackey_writer *w, const struct hv_access *batch, size_t count, struct hv_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (batch[i].kind != HV_EVENT && !add_one(w, &batch[i], err)) {
            return false;
        }
    }
    return true;
}

bool lackey_writer_finish(struct lackey_writer *w, struct hv_err *err)
{
    return print_held(w, err) && flush(w, err);
}

bool lackey_expresses(const struct hv_access *access)
{
    bool belongs = access->kind == HV_FETCH || access->flags & HV_ACCESS_SAME_INSTRUCTION;
    return access->kind != HV_EVENT && belongs && access->gap == 0 && access->asid == 0 &&
           !(access->flags & HV_ACCESS_DEPENDENT);
}
