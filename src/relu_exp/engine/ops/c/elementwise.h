/* Elementwise functions and sums whose bits do not depend on where in a loop a number stands.

Each operation is rounded once (the compiler may not contract two to a fused one), and sums have an
order of their own: neither the width of the processor's vectors nor the size of a fleet matters. */

#ifndef ELEMENTWISE_H
#define ELEMENTWISE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 16

enum Activation { IDENTITY, STEP, SIGMOID, TANH, RELU, LEAKY_RELU, ELU };

/* The logarithm of the least normal number: exp of less counts as 0. */
#define LEAST_EXPONENT -87.33654f

/* exp(x) = power (1 + rest); the polynomial is that of Cephes (Moshier). NaN stays NaN. */
static inline float reduced(float x, float *power)
{
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const float n = rintf(x * 1.44269504f);
    float r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const int32_t bits = ((int32_t)(n == n ? n : 0.0f) + 127) << 23;
    memcpy(power, &bits, sizeof bits);
    return p * (r * r) + r;
}

static inline float exponential(float x)
{
    float power;
    const float rest = reduced(x, &power);
    return power * rest + power;
}

/* exp(x) − 1, as exact for small x */
static inline float exponential_minus_1(float x)
{
    float power;
    const float rest = reduced(x, &power);
    return power * rest + (power - 1.0f);
}

/* φ(z); `setting` is the slope or the α of the activation */
static inline float value(int activation, float z, float setting)
{
    switch (activation) {
    case STEP:
        return z >= 0.0f ? 1.0f : 0.0f;
    case SIGMOID:
        return z < LEAST_EXPONENT ? 0.0f : 1.0f / (1.0f + exponential(-z));
    case TANH: {
        const float e = exponential_minus_1(-2.0f * fabsf(z));
        return copysignf(-e / (e + 2.0f), z);
    }
    case RELU:
        return z <= 0.0f ? 0.0f : z; /* NaN stays NaN */
    case LEAKY_RELU:
        return z > 0.0f ? z : z * setting;
    case ELU:
        return z > 0.0f ? z : setting * exponential_minus_1(z);
    default:
        return z;
    }
}

/* gradient · φ′(z), given a = φ(z) */
static inline float slope(int activation, float gradient, float a, float setting)
{
    switch (activation) {
    case STEP:
        return 0.0f;
    case SIGMOID:
        return gradient * (1.0f - a) * a;
    case TANH:
        return gradient * (1.0f - a * a);
    case RELU:
        return a <= 0.0f ? 0.0f : gradient;
    case LEAKY_RELU:
        return a > 0.0f ? gradient : gradient * setting;
    case ELU:
        return a <= 0.0f ? gradient * (a + setting) : gradient;
    default:
        return gradient;
    }
}

/* The sum of a row. */
static inline float total(const float *row, int size)
{
    float lanes[LANES] = {0};
    int s = 0;
    for (; s + LANES <= size; s += LANES)
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] += row[s + lane];
    for (int lane = 0; s < size; s++, lane++)
        lanes[lane] += row[s];
    for (int half = LANES / 2; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0];
}

/* Makes `call(activation)` with a constant, so that every activation gets loops of its own. */
#define FOR_ACTIVATION(activation, call)                                                           \
    switch (activation) {                                                                          \
    case STEP: call(STEP); break;                                                                  \
    case SIGMOID: call(SIGMOID); break;                                                            \
    case TANH: call(TANH); break;                                                                  \
    case RELU: call(RELU); break;                                                                  \
    case LEAKY_RELU: call(LEAKY_RELU); break;                                                      \
    case ELU: call(ELU); break;                                                                    \
    default: call(IDENTITY);                                                                       \
    }

#endif
