/* Updates of stacked parameters, each number once: the operations of `optimizers`, in their order and
rounded one by one, so that the bits are PyTorch's but for its square roots. */

#include <math.h>
#include <stdint.h>

typedef struct {
    float *w;             /* parameters of the first run */
    const float *g;       /* their gradients */
    float *first, *second; /* what the optimizer remembers, or NULL */
    int64_t run_w, run_g, run_first, run_second; /* numbers from one run to the next */
    int64_t size;         /* parameters of a run */
    int num_runs;
    float decay; /* L2 penalty */
} Parameters;

#define FOR_EVERY_NUMBER(body)                                                                     \
    for (int run = 0; run < p->num_runs; run++) {                                                  \
        float *restrict w = p->w + run * p->run_w;                                                 \
        const float *restrict gradient = p->g + run * p->run_g;                                    \
        float *restrict first = p->first + (p->first ? run * p->run_first : 0);                    \
        float *restrict second = p->second + (p->second ? run * p->run_second : 0);                \
        const float rate = rates[run];                                                             \
        (void)first;                                                                               \
        (void)second;                                                                              \
        for (int64_t i = 0; i < p->size; i++) {                                                    \
            const float g = p->decay != 0.0f ? gradient[i] + w[i] * p->decay : gradient[i];        \
            body                                                                                   \
        }                                                                                          \
    }

/* v ← μv + g, w ← w − ηv */
void update_sgd(const Parameters *p, const float *rates, float momentum)
{
    if (!p->first)
        FOR_EVERY_NUMBER(w[i] -= rate * g;)
    else
        FOR_EVERY_NUMBER(first[i] = first[i] * momentum + g; w[i] -= rate * first[i];)
}

/* m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w − η m / (√v / root + ε) */
void update_adam(const Parameters *p, const float *rates, float beta1, float rest1, float beta2,
                 float rest2, float root, float epsilon)
{
    FOR_EVERY_NUMBER(first[i] = first[i] * beta1 + g * rest1;
                     second[i] = second[i] * beta2 + (g * g) * rest2;
                     w[i] -= rate * (first[i] / (sqrtf(second[i]) / root + epsilon));)
}

/* v ← αv + (1 − α)g², d = g / (√v + ε), with momentum u ← μu + d in its place, w ← w − ηd */
void update_rmsprop(const Parameters *p, const float *rates, float alpha, float rest, float epsilon,
                    float momentum)
{
    if (!p->second)
        FOR_EVERY_NUMBER(first[i] = first[i] * alpha + (g * g) * rest;
                         w[i] -= rate * (g / (sqrtf(first[i]) + epsilon));)
    else
        FOR_EVERY_NUMBER(first[i] = first[i] * alpha + (g * g) * rest;
                         second[i] = second[i] * momentum + g / (sqrtf(first[i]) + epsilon);
                         w[i] -= rate * second[i];)
}
