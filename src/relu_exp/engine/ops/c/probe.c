/* A probe of every run's multilayer perceptron: one pass there and back, and what it says of every
hidden layer while its numbers are in the cache. The summaries are those of `summaries.c`. */

#include "mlp.h"
#include "summaries.h"

/* The numbers that are written of a layer, in this order. */
enum Number {
    OF_Z = 0, /* four moments */
    OF_A = 4, /* four moments */
    SHARES = 8, /* saturated, dead, zero */
    RANK = 11,
    ACTIVATION_GRAD_NORM = 12,
    WEIGHT_GRAD_NORM = 13,
    WEIGHT_GRAD_SPREAD = 14,
    NUM_NUMBERS = 15
};

typedef struct {
    float low, scale; /* where the first bin begins; bins in a unit */
    int bins;
} Bins;

typedef struct {
    const float *saturated_below; /* (runs,): |φ′| up to which a value is saturated */
    float *derivatives; /* φ′ of one run: (all units, samples) */
    float *weight_grad, *rank_scratch; /* of the largest layer; see `effective_ranks` */
    double *spread_scratch; /* see `spreads` */
    float *numbers; /* (runs, layers, NUM_NUMBERS) */
    int32_t *counts[2]; /* of z and a (runs, layers, bins + 2) */
    float *extents[2]; /* (runs, layers, 3) */
    uint8_t *is_flat; /* (runs, all units): whether φ′ is 0 on every sample */
    Bins bins[2];
    int rank_samples, spread_weights;
    float rounding; /* see `effective_ranks` */
} Probe;

static int steps_over(int64_t size, int most)
{
    return (int)((size + most - 1) / most);
}

/* φ′(z), where it can be from a = φ(z) */
static inline float derivative(int activation, float z, float a, float setting)
{
    if (activation != ELU)
        return slope(activation, 1.0f, a, setting);
    /* a + α is 0 long before exp(z) is */
    return z > 0.0f ? 1.0f : z < LEAST_EXPONENT ? 0.0f : setting * exponential(z);
}

static inline void derive(int activation, float *restrict d, const float *restrict z,
                          const float *restrict a, int64_t size, float setting)
{
    for (int64_t i = 0; i < size; i++)
        d[i] = derivative(activation, z[i], a[i], setting);
}

static void derive_layer(int kind, float *d, const float *z, const float *a, int64_t size,
                         float setting)
{
#define CALL(activation) derive(activation, d, z, a, size, setting)
    FOR_ACTIVATION(kind, CALL)
#undef CALL
}

static void find_flat_rows(const float *d, uint8_t *is_flat, int units, int samples)
{
    for (int unit = 0; unit < units; unit++) {
        int moves = 0;
        for (int s = 0; s < samples; s++)
            moves |= d[(int64_t)unit * samples + s] != 0.0f;
        is_flat[unit] = !moves;
    }
}

static void count(const Probe *probe, int which, const float *x, int64_t size, int64_t place)
{
    const Bins *bins = probe->bins + which;
    histograms(x, 0, 1, size, bins->low, bins->scale, bins->bins,
               probe->counts[which] + place * (bins->bins + 2), probe->extents[which] + place * 3);
}

/* Compute a hidden layer's activations a and slopes d from the activations below it, h, and summarize
them. */
static void summarize_forward(const Mlp *mlp, const Batch *batch, const Probe *probe, int run,
                              int index, const float *h, float *a, float *d, uint8_t *is_flat)
{
    const int units = mlp->layers[index].out, samples = batch->samples;
    const int64_t size = (int64_t)units * samples, place = (int64_t)run * (mlp->num_layers - 1) + index;
    float *z = mlp->scratch;
    float *numbers = probe->numbers + place * NUM_NUMBERS;
    const float *b = multiply_layer(mlp, batch, run, index, h, a);
    memcpy(z, a, sizeof *z * size);
    activate_layer(IDENTITY, z, b, units, samples, 0);
    activate_layer(mlp->activation, a, b, units, samples, mlp->settings[run]);
    derive_layer(mlp->activation, d, z, a, size, mlp->settings[run]);
    find_flat_rows(d, is_flat, units, samples);
    moments(z, 0, 1, units, samples, numbers + OF_Z);
    moments(a, 0, 1, units, samples, numbers + OF_A);
    shares(d, a, 0, 1, units, samples, probe->saturated_below + run, numbers + SHARES);
    effective_ranks(mlp->gemm, a, 0, 1, units, samples, steps_over(samples, probe->rank_samples),
                    probe->rounding, probe->rank_scratch, numbers + RANK);
    count(probe, 0, z, size, place);
    count(probe, 1, a, size, place);
}

/* Write dz = da · φ′ and the sum of each row. */
static void multiply_rows(float *restrict dz, const float *restrict da, const float *restrict d,
                          float *restrict sums, int units, int samples)
{
    for (int unit = 0; unit < units; unit++, dz += samples, da += samples, d += samples) {
        for (int s = 0; s < samples; s++)
            dz[s] = da[s] * d[s];
        sums[unit] = total(dz, samples);
    }
}

/* Summarize the gradients of all hidden layers, given those by the outputs and the slopes d of the
last hidden layer, behind those of the others. */
static void summarize_backward(const Mlp *mlp, const Batch *batch, const Probe *probe, int run,
                               const float *dz, const float *d)
{
    const int samples = batch->samples, hidden = mlp->num_layers - 1;
    float *da = mlp->scratch, *sums = sums_of(mlp, batch);
    for (int index = hidden - 1; index >= 0; index--) {
        const Layer *layer = mlp->layers + index, *above = layer + 1;
        const float *h = index ? layer[-1].a : 0;
        const int64_t size = (int64_t)layer->out * layer->in;
        float *numbers = probe->numbers + ((int64_t)run * hidden + index) * NUM_NUMBERS;
        multiply(mlp->gemm, da, above->W + above->run_W * run, dz, above->in, above->out, samples,
                 samples, above->in, samples, 1, 0, 0);
        norms(da, 0, 1, (int64_t)layer->out * samples, numbers + ACTIVATION_GRAD_NORM);
        multiply_rows(layer->a, da, d, sums, layer->out, samples);
        dz = layer->a;
        d -= index ? (int64_t)layer[-1].out * samples : 0;
        weight_gradient(mlp, batch, run, index, dz, h, sums, probe->weight_grad, 0);
        norms(probe->weight_grad, 0, 1, size, numbers + WEIGHT_GRAD_NORM);
        spreads(probe->weight_grad, 0, 1, layer->out, layer->in,
                steps_over(layer->in, probe->spread_weights), probe->spread_scratch,
                numbers + WEIGHT_GRAD_SPREAD);
    }
}

/* Probe all runs on a batch, in the activations of the first run. */
void mlp_probe(const Mlp *mlp, const Batch *batch, const Probe *probe)
{
    const int last = mlp->num_layers - 1;
    uint8_t *is_flat = probe->is_flat;
    float *gradient = mlp->scratch + mlp->largest * batch->samples, loss, accuracy;
    for (int run = 0; run < mlp->num_runs; run++) {
        const float *h = 0;
        float *d = probe->derivatives;
        for (int index = 0; index < last; index++) {
            float *a = mlp->layers[index].a;
            d += index ? (int64_t)mlp->layers[index - 1].out * batch->samples : 0;
            summarize_forward(mlp, batch, probe, run, index, h, a, d, is_flat);
            is_flat += mlp->layers[index].out;
            h = a;
        }
        forward_layer(mlp, batch, run, last, h, mlp->layers[last].a);
        cross_entropy(mlp, batch, run, mlp->layers[last].a, 1, gradient, &loss, &accuracy);
        summarize_backward(mlp, batch, probe, run, gradient, d);
    }
}

/* For tests: the size of the arguments, and how many numbers are written of a layer. */
void probe_sizes(int *found)
{
    found[0] = sizeof(Probe);
    found[1] = NUM_NUMBERS;
}
