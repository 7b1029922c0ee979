/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include <ctype.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* A decimal number as mantissa * 10^exponent, which keeps 2.5e3 exact. */
struct decimal {
    uint64_t mantissa;
    int exponent;
    bool too_long; /* more significant digits than a uint64_t holds */
};

/* The units of a size, the largest first; shift is log2 of the unit. */
static const struct unit {
    char letter;
    const char *name;
    unsigned shift;
} units[] = { { 't', "TiB", 40 }, { 'g', "GiB", 30 }, { 'm', "MiB", 20 }, { 'k', "KiB", 10 } };

/* Zeros are held back until another digit follows, so that neither 1.50000 nor 1000000 costs mantissa. */
static void decimal_add_digit(struct decimal *number, unsigned digit, unsigned *held_zeros)
{
    if (digit == 0) {
        *held_zeros += number->mantissa != 0;
        return;
    }
    for (unsigned i = 0; i <= *held_zeros && !number->too_long; i++) {
        number->too_long = __builtin_mul_overflow(number->mantissa, UINT64_C(10), &number->mantissa);
    }
    number->too_long |= __builtin_add_overflow(number->mantissa, (uint64_t)digit, &number->mantissa);
    *held_zeros = 0;
}

/* Reads digits, single underscores between them allowed; returns how many, or -1 when an underscore stands wrong. */
static int scan_digits(const char **text, struct decimal *number, unsigned *held_zeros)
{
    int count = 0;
    for (const char *c = *text;; c++) {
        if (*c == '_' && count > 0 && isdigit((unsigned char)c[-1]) && isdigit((unsigned char)c[1])) {
            continue;
        }
        if (!isdigit((unsigned char)*c)) {
            *text = c;
            return *c == '_' ? -1 : count;
        }
        decimal_add_digit(number, (unsigned)(*c - '0'), held_zeros);
        count++;
    }
}

/* Reads e6, E+6 or e-6 when one is there; an "e" without digits is malformed. */
static bool scan_exponent(const char **text, int *exponent)
{
    const char *c = *text;
    *exponent = 0;
    if (*c != 'e' && *c != 'E') {
        return true;
    }
    c++;
    bool negative = *c == '-';
    c += *c == '-' || *c == '+';
    if (!isdigit((unsigned char)*c)) {
        return false;
    }
    for (; isdigit((unsigned char)*c); c++) {
        if (*exponent < 9999) {
            *exponent = *exponent * 10 + (*c - '0');
        }
    }
    *exponent = negative ? -*exponent : *exponent;
    *text = c;
    return true;
}

static bool scan_decimal(const char **text, struct decimal *number)
{
    *number = (struct decimal){ 0 };
    unsigned held_zeros = 0;
    int whole = scan_digits(text, number, &held_zeros);
    int fraction = 0;
    if (whole >= 0 && **text == '.') {
        (*text)++;
        fraction = scan_digits(text, number, &held_zeros);
    }
    int exponent;
    if (whole < 0 || fraction < 0 || whole + fraction == 0 || !scan_exponent(text, &exponent)) {
        return false;
    }
    number->exponent = exponent + (int)held_zeros - fraction;
    return true;
}

/* number * 2^shift as a whole number. */
static enum number_result decimal_to_whole(const struct decimal *number, unsigned shift, uint64_t *value)
{
    if (number->too_long) {
        return NUMBER_OUT_OF_RANGE;
    }
    unsigned __int128 whole = (unsigned __int128)number->mantissa << shift;
    for (int i = 0; i > number->exponent && whole != 0; i--) {
        if (whole % 10 != 0) {
            return NUMBER_MALFORMED;
        }
        whole /= 10;
    }
    for (int i = 0; i < number->exponent && whole != 0 && whole <= UINT64_MAX; i++) {
        whole *= 10;
    }
    if (whole > UINT64_MAX) {
        return NUMBER_OUT_OF_RANGE;
    }
    *value = (uint64_t)whole;
    return NUMBER_OK;
}

static enum number_result parse_hexadecimal(const char *digits, uint64_t *value)
{
    uint64_t sum = 0;
    if (!isxdigit((unsigned char)*digits)) {
        return NUMBER_MALFORMED;
    }
    bool too_long = false;
    for (const char *c = digits; *c != '\0'; c++) {
        if (*c == '_' && c[-1] != '_' && isxdigit((unsigned char)c[1])) {
            continue;
        }
        if (!isxdigit((unsigned char)*c)) {
            return NUMBER_MALFORMED;
        }
        unsigned digit = isdigit((unsigned char)*c) ? (unsigned)(*c - '0') : (unsigned)((*c | 0x20) - 'a') + 10u;
        too_long |= sum >> 60 != 0;
        sum = sum << 4 | digit;
    }
    if (too_long) {
        return NUMBER_OUT_OF_RANGE;
    }
    *value = sum;
    return NUMBER_OK;
}

static bool is_hexadecimal(const char *text)
{
    return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

/* log2 of the unit that is the whole of text: "", B, K, KB, KiB and so on. */
static bool parse_unit(const char *text, unsigned *shift)
{
    *shift = 0;
    if (*text == '\0' || strcasecmp(text, "b") == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if ((*text | 0x20) == units[i].letter) {
            *shift = units[i].shift;
            return text[1] == '\0' || strcasecmp(text + 1, "b") == 0 || strcasecmp(text + 1, "ib") == 0;
        }
    }
    return false;
}

static enum number_result parse_whole(const char *text, bool unit_allowed, uint64_t *value)
{
    if (is_hexadecimal(text)) {
        return parse_hexadecimal(text + 2, value);
    }
    struct decimal number;
    unsigned shift = 0;
    bool negative = *text == '-';
    text += negative;
    if (!scan_decimal(&text, &number) || !(unit_allowed ? parse_unit(text, &shift) : *text == '\0')) {
        return NUMBER_MALFORMED;
    }
    if (negative && number.mantissa != 0) {
        return NUMBER_OUT_OF_RANGE;
    }
    return decimal_to_whole(&number, shift, value);
}

enum number_result number_parse_count(const char *text, uint64_t *value)
{
    return parse_whole(text, false, value);
}

enum number_result number_parse_size(const char *text, uint64_t *bytes)
{
    return parse_whole(text, true, bytes);
}

/* The C library reads and writes the decimal point of the program's locale; here it is always a dot. */
static locale_t c_locale_enter(void)
{
    return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

static void c_locale_leave(locale_t previous)
{
    freelocale(uselocale(previous));
}

enum number_result number_parse_real(const char *text, double *value)
{
    /* strtod() also takes nan, inf and hexadecimal fractions, so the form is checked first. */
    const char *end = text + (*text == '-' || *text == '+');
    struct decimal form;
    if (!scan_decimal(&end, &form) || *end != '\0') {
        return NUMBER_MALFORMED;
    }
    char plain[128];
    size_t length = 0;
    for (const char *c = text; c < end; c++) {
        if (*c == '_') {
            continue;
        }
        if (length == sizeof(plain) - 1) {
            return NUMBER_MALFORMED;
        }
        plain[length++] = *c;
    }
    plain[length] = '\0';
    locale_t previous = c_locale_enter();
    double parsed = strtod(plain, NULL);
    c_locale_leave(previous);
    if (isinf(parsed)) {
        return NUMBER_OUT_OF_RANGE;
    }
    *value = parsed;
    return NUMBER_OK;
}

void number_format_size(uint64_t bytes, char text[NUMBER_BYTES])
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (bytes != 0 && bytes % (UINT64_C(1) << units[i].shift) == 0) {
            snprintf(text, NUMBER_BYTES, "%" PRIu64 "%s", bytes >> units[i].shift, units[i].name);
            return;
        }
    }
    snprintf(text, NUMBER_BYTES, "%" PRIu64, bytes);
}

void number_format_real(double value, int digits, char text[NUMBER_BYTES])
{
    locale_t previous = c_locale_enter();
    snprintf(text, NUMBER_BYTES, "%.*g", digits, value);
    c_locale_leave(previous);
}

void number_format_exact(double value, char text[NUMBER_BYTES])
{
    locale_t previous = c_locale_enter();
    /* 17 significant digits always suffice for an IEEE double. */
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, NUMBER_BYTES, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    c_locale_leave(previous);
}
