/* SPDX-License-Identifier: MIT */
#include "workload/detmath.h"

#include <stdint.h>
#include <string.h>

#define LN2 0x1.62e42fefa39efp-1
#define SQRT2 0x1.6a09e667f3bcdp+0
#define EXPONENT_BIAS 1023
#define MANTISSA_BITS 52

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/*
 * x = m * 2^e with m in [sqrt(1/2), sqrt(2)), and ln m = 2 artanh(s) = 2 (s + s^3/3 + s^5/5 + ...) with
 * s = (m - 1) / (m + 1). There |s| < 0.172, so that the first omitted term, s^23/23, is below 2^-60.
 */
double detmath_log2(double x)
{
    uint64_t bits = bits_of(x);
    int exponent = (int)(bits >> MANTISSA_BITS) - EXPONENT_BIAS;
    uint64_t mantissa = bits & ((UINT64_C(1) << MANTISSA_BITS) - 1);
    double m = double_of(((uint64_t)EXPONENT_BIAS << MANTISSA_BITS) | mantissa);
    if (m >= SQRT2) {
        m *= 0.5;
        exponent++;
    }
    double s = (m - 1) / (m + 1);
    double square = s * s;
    double sum = 0;
    for (int odd = 21; odd >= 1; odd -= 2) {
        sum = sum * square + 1.0 / odd;
    }
    return exponent + 2 * s * sum / LN2;
}

/* x = n + f with |f| <= 1/2; the Taylor series of e^(f ln 2) is cut where its terms fall below 2^-57. */
double detmath_exp2(double x)
{
    if (x < 1 - EXPONENT_BIAS) {
        return 0;
    }
    int n = (int)(x < 0 ? x - 0.5 : x + 0.5);
    double y = (x - n) * LN2;
    double sum = 1;
    for (int i = 14; i >= 1; i--) {
        sum = 1 + sum * y / i;
    }
    return sum * double_of((uint64_t)(n + EXPONENT_BIAS) << MANTISSA_BITS);
}

double detmath_pow(double base, double exponent)
{
    return detmath_exp2(exponent * detmath_log2(base));
}
