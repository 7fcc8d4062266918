/* Passes and steps of every run's multilayer perceptron; `compiled_mlp` calls them.

A run is computed whole before the next one begins, so that its weights and activations stay in the
processor's nearest cache. Matrix products are those of the BLAS library that PyTorch brings. */

#include "mlp.h"

/* Numbers that `scratch` must hold: two matrices of activations, sums or biases of a layer, products
of a row with the background, and three rows of the loss. */
int64_t mlp_scratch(int64_t largest, int samples)
{
    return 2 * largest * samples + 2 * largest + 3 * (int64_t)samples;
}

static inline void activate(int activation, float *restrict a, const float *restrict b, int units,
                            int samples, float setting)
{
    for (int unit = 0; unit < units; unit++) {
        float *restrict row = a + (int64_t)unit * samples;
        const float bias = b[unit];
        for (int s = 0; s < samples; s++)
            row[s] = value(activation, row[s] + bias, setting);
    }
}

/* Overwrite a = W h with φ(a + b). */
void activate_layer(int kind, float *a, const float *b, int units, int samples, float setting)
{
#define CALL(activation) activate(activation, a, b, units, samples, setting)
    FOR_ACTIVATION(kind, CALL)
#undef CALL
}

static inline void differentiate(int activation, float *restrict a, const float *restrict gradient,
                                 float *restrict sums, int units, int samples, float setting)
{
    for (int unit = 0; unit < units; unit++) {
        float *restrict row = a + (int64_t)unit * samples;
        const float *restrict g = gradient + (int64_t)unit * samples;
        for (int s = 0; s < samples; s++)
            row[s] = slope(activation, g[s], row[s], setting);
        sums[unit] = total(row, samples);
    }
}

/* Overwrite a = φ(z) with dz = gradient · φ′(z), and write the sum of each row to `sums`. */
static void differentiate_layer(int kind, float *a, const float *gradient, float *sums, int units,
                                int samples, float setting)
{
#define CALL(activation) differentiate(activation, a, gradient, sums, units, samples, setting)
    FOR_ACTIVATION(kind, CALL)
#undef CALL
}

static inline void find_flat(int activation, const float *restrict a, uint8_t *restrict is_flat,
                             int units, int samples, float setting)
{
    for (int unit = 0; unit < units; unit++) {
        const float *restrict row = a + (int64_t)unit * samples;
        int moves = 0;
        for (int s = 0; s < samples; s++)
            moves |= slope(activation, 1.0f, row[s], setting) != 0.0f;
        is_flat[unit] = !moves;
    }
}

/* Find the units whose φ′ is 0 on every sample. */
static void find_flat_units(int kind, const float *a, uint8_t *is_flat, int units, int samples,
                            float setting)
{
#define CALL(activation) find_flat(activation, a, is_flat, units, samples, setting)
    FOR_ACTIVATION(kind, CALL)
#undef CALL
}

/* Return the biases of the first layer plus what the background adds to its products. */
static const float *with_background(const Mlp *mlp, const Batch *batch, const float *W,
                                    const float *b, int active)
{
    if (!batch->background)
        return b;
    const Layer *layer = mlp->layers;
    const int rest = batch->features - active;
    float *sums = sums_of(mlp, batch), *products = sums + mlp->largest;
    for (int unit = 0; unit < layer->out; unit++) {
        const float *w = W + (int64_t)unit * layer->in + active;
        for (int f = 0; f < rest; f++)
            products[f] = w[f] * batch->background[active + f];
        sums[unit] = b[unit] + total(products, rest);
    }
    return sums;
}

/* Write a = W h of a layer, where h is the layer below or, of the first, the inputs; return what is
added to it: the biases, in the first layer with what the background adds. */
const float *multiply_layer(const Mlp *mlp, const Batch *batch, int run, int index, const float *h,
                            float *a)
{
    const Layer *layer = mlp->layers + index;
    const float *W = layer->W + layer->run_W * run, *b = layer->b + layer->run_b * run;
    const int samples = batch->samples;
    if (index > 0) {
        multiply(mlp->gemm, a, W, h, layer->out, layer->in, samples, samples, layer->in, samples, 0,
                 0, 0);
        return b;
    }
    const int active = batch->active[batch->group[run]];
    multiply(mlp->gemm, a, W, inputs_of(batch, run), layer->out, active, samples, samples,
             layer->in, batch->step, 0, batch->by_sample, 0);
    return with_background(mlp, batch, W, b, active);
}

/* Write a = φ(W h + b) of a layer. */
void forward_layer(const Mlp *mlp, const Batch *batch, int run, int index, const float *h, float *a)
{
    const float *b = multiply_layer(mlp, batch, run, index, h, a);
    activate_layer(kind_of(mlp, index), a, b, mlp->layers[index].out, batch->samples,
                   mlp->settings[run]);
}

/* Compute the activations of a run and keep them as those of run `place`; return its outputs. */
static const float *forward_run(const Mlp *mlp, const Batch *batch, int run, int place)
{
    float *h = 0;
    for (int index = 0; index < mlp->num_layers; index++) {
        float *a = mlp->layers[index].a + mlp->layers[index].run_a * place;
        forward_layer(mlp, batch, run, index, h, a);
        h = a;
    }
    return h;
}

/* Write the gradient by a layer's weights to dW, or subtract it, given that by its pre-activations, the
layer below, h, and the sums of dz over the samples. */
void weight_gradient(const Mlp *mlp, const Batch *batch, int run, int index, const float *dz,
                     const float *h, const float *sums, float *dW, int subtracts)
{
    const Layer *layer = mlp->layers + index;
    const int samples = batch->samples;
    if (index > 0) {
        multiply(mlp->gemm, dW, dz, h, layer->out, samples, layer->in, layer->in, samples, samples,
                 0, 1, subtracts);
        return;
    }
    const int active = batch->active[batch->group[run]];
    multiply(mlp->gemm, dW, dz, inputs_of(batch, run), layer->out, samples, active, layer->in,
             samples, batch->step, 0, !batch->by_sample, subtracts);
    for (int unit = 0; unit < layer->out; unit++)
        for (int f = active; f < layer->in; f++) {
            float *w = dW + (int64_t)unit * layer->in + f;
            *w = subtracts ? *w - sums[unit] * batch->background[f]
                           : sums[unit] * batch->background[f];
        }
}

/* Write the gradients by all weights and biases to `gradients`, or without any subtract them from the
parameters, given the gradient by the outputs and the activations at `place`, which are overwritten. */
static void backward_run(const Mlp *mlp, const Batch *batch, int run, int place,
                         const float *gradient, const LayerGradients *gradients)
{
    const int samples = batch->samples;
    float *dh = mlp->scratch, *sums = sums_of(mlp, batch);
    for (int index = mlp->num_layers - 1; index >= 0; index--) {
        const Layer *layer = mlp->layers + index;
        float *W = layer->W + layer->run_W * run, *b = layer->b + layer->run_b * run;
        float *dz = layer->a + layer->run_a * place;
        const float *h = index ? layer[-1].a + layer[-1].run_a * place : 0;
        differentiate_layer(kind_of(mlp, index), dz, gradient, sums, layer->out, samples,
                            mlp->settings[run]);
        if (index)
            multiply(mlp->gemm, dh, W, dz, layer->in, layer->out, samples, samples, layer->in,
                     samples, 1, 0, 0);
        if (gradients) {
            const LayerGradients *own = gradients + index;
            memcpy(own->b + own->run_b * run, sums, sizeof *sums * layer->out);
            weight_gradient(mlp, batch, run, index, dz, h, sums, own->W + own->run_W * run, 0);
        } else {
            for (int unit = 0; unit < layer->out; unit++)
                b[unit] -= sums[unit];
            weight_gradient(mlp, batch, run, index, dz, h, sums, W, 1);
        }
        gradient = dh;
    }
}

/* Write rate × the gradient of the mean cross-entropy by a run's logits z (classes, samples), the mean
and the share of correct samples. */
void cross_entropy(const Mlp *mlp, const Batch *batch, int run, const float *restrict z, float rate,
                   float *restrict gradient, float *restrict loss, float *restrict accuracy)
{
    const int samples = batch->samples, classes = mlp->layers[mlp->num_layers - 1].out;
    const int64_t *labels = batch->labels + (int64_t)batch->group[run] * samples;
    float *rows = sums_of(mlp, batch) + 2 * mlp->largest;
    float *restrict largest = rows, *restrict sums = rows + samples, *restrict losses = sums + samples;
    for (int s = 0; s < samples; s++) {
        largest[s] = z[s];
        sums[s] = 0.0f;
    }
    for (int c = 1; c < classes; c++)
        for (int s = 0; s < samples; s++)
            largest[s] = z[c * samples + s] > largest[s] ? z[c * samples + s] : largest[s];
    for (int c = 0; c < classes; c++)
        for (int s = 0; s < samples; s++) {
            const float e = exponential(z[c * samples + s] - largest[s]);
            gradient[c * samples + s] = e;
            sums[s] += e;
        }
    const float scale = rate / samples;
    int correct = 0;
    for (int s = 0; s < samples; s++) {
        const float own = z[labels[s] * samples + s];
        losses[s] = logf(sums[s]) - (own - largest[s]);
        int is_first = own == largest[s]; /* of equal logits the first one counts */
        for (int c = 0; c < labels[s]; c++)
            is_first &= z[c * samples + s] < own;
        correct += is_first;
        sums[s] = scale / sums[s];
    }
    for (int c = 0; c < classes; c++)
        for (int s = 0; s < samples; s++)
            gradient[c * samples + s] *= sums[s];
    for (int s = 0; s < samples; s++)
        gradient[labels[s] * samples + s] -= scale;
    *loss = total(losses, samples) / samples;
    *accuracy = (float)correct / samples;
}

/* Compute all activations. */
void mlp_forward(const Mlp *mlp, const Batch *batch)
{
    for (int run = 0; run < mlp->num_runs; run++)
        forward_run(mlp, batch, run, run);
}

/* Compute all activations, the learning rate × the gradients of the cross-entropy by the outputs,
`run_gradient` numbers a run, and losses and accuracies (2, runs). */
void mlp_losses(const Mlp *mlp, const Batch *batch, const float *rates, float *gradient,
                int64_t run_gradient, float *numbers)
{
    for (int run = 0; run < mlp->num_runs; run++) {
        const float *z = forward_run(mlp, batch, run, run);
        float *loss = numbers + run;
        cross_entropy(mlp, batch, run, z, rates[run], gradient + run_gradient * run, loss,
                      loss + mlp->num_runs);
    }
}

/* Update all parameters, given the gradients by the outputs, `run_gradient` numbers a run. */
void mlp_backward(const Mlp *mlp, const Batch *batch, const float *gradient, int64_t run_gradient)
{
    for (int run = 0; run < mlp->num_runs; run++)
        backward_run(mlp, batch, run, run, gradient + run_gradient * run, 0);
}

/* Write the gradients by all parameters, given those by the outputs, `run_gradient` numbers a run. */
void mlp_gradients(const Mlp *mlp, const Batch *batch, const float *gradient, int64_t run_gradient,
                   const LayerGradients *gradients)
{
    for (int run = 0; run < mlp->num_runs; run++)
        backward_run(mlp, batch, run, run, gradient + run_gradient * run, gradients);
}

/* Take steps of gradient descent on the cross-entropy, each on a batch of its own, with a learning
rate for every step and run; write losses and accuracies from before each step (steps, 2, runs). All
runs use the activations of the first one, which stay in the cache; so do a run's weights. */
void mlp_steps(const Mlp *mlp, const Batch *batches, int num_steps, const float *rates,
               float *numbers)
{
    const int runs = mlp->num_runs;
    float *gradient = mlp->scratch + mlp->largest * batches->samples;
    for (int run = 0; run < runs; run++)
        for (int step = 0; step < num_steps; step++) {
            const Batch *batch = batches + step;
            const float *z = forward_run(mlp, batch, run, 0);
            float *loss = numbers + 2 * runs * step + run;
            cross_entropy(mlp, batch, run, z, rates[runs * step + run], gradient, loss, loss + runs);
            backward_run(mlp, batch, run, 0, gradient, 0);
        }
}

/* Write the outputs, `run_outputs` numbers a run, and for every hidden unit (runs, all units) whether
its φ′ is 0 on every sample. The layers' own activations are left as they are. */
void mlp_evaluate(const Mlp *mlp, const Batch *batch, float *outputs, int64_t run_outputs,
                  uint8_t *is_flat)
{
    const int last = mlp->num_layers - 1, samples = batch->samples;
    for (int run = 0; run < mlp->num_runs; run++) {
        const float *h = 0;
        for (int index = 0; index <= last; index++) {
            const int units = mlp->layers[index].out;
            float *a = mlp->scratch + (index % 2 ? mlp->largest * samples : 0);
            a = index == last ? outputs + run_outputs * run : a;
            forward_layer(mlp, batch, run, index, h, a);
            if (index < last) {
                find_flat_units(mlp->activation, a, is_flat, units, samples, mlp->settings[run]);
                is_flat += units;
            }
            h = a;
        }
    }
}

/* For tests: the sizes of the structures. */
void mlp_sizes(int *found)
{
    found[0] = sizeof(Layer);
    found[1] = sizeof(Batch);
    found[2] = sizeof(LayerGradients);
    found[3] = sizeof(Mlp);
}

/* For tests: φ of `size` numbers, and gradient · φ′ from φ. */
void values(int activation, float *a, int size, float setting)
{
    const float none = 0.0f;
    activate_layer(activation, a, &none, 1, size, setting);
}

void slopes(int activation, float *a, const float *gradient, int size, float setting)
{
    float sum;
    differentiate_layer(activation, a, gradient, &sum, 1, size, setting);
}
