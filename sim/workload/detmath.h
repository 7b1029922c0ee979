/* SPDX-License-Identifier: MIT */
/*
 * Logarithm, exponential and power that give the same bits on every machine.
 *
 * The C library picks its implementation by processor (with or without fused multiply-add), so two machines may
 * round differently, and a stream that depends on the last bit would differ with them. These use only IEEE 754
 * addition, multiplication and division, each rounded once (the build passes -ffp-contract=off).
 */
#ifndef HV_WORKLOAD_DETMATH_H
#define HV_WORKLOAD_DETMATH_H

/* Of a positive normal number; the error is below 2e-16 + 3e-16 * |result|. */
double detmath_log2(double x);

/* The relative error is below 1e-15; 0 below 2^-1022; x must be below 1023. */
double detmath_exp2(double x);

/* base^exponent of a positive base; the relative error is below 1e-15 * (1 + |log2(result)|). */
double detmath_pow(double base, double exponent);

#endif
