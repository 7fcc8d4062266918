/* How the multilayer perceptrons of a fleet and a batch lie in memory, and the parts of a pass.

All matrices are row-major: activations and their gradients (units, samples), weights (out, in).
Inputs are (features, samples), or (samples, features) if `by_sample`. */

#ifndef MLP_H
#define MLP_H

#include "elementwise.h"
#include "product.h"

typedef struct {
    float *W, *b, *a;            /* of the first run */
    int64_t run_W, run_b, run_a; /* numbers from one run to the next */
    int out, in;
} Layer;

typedef struct {
    const float *x;           /* of the first group */
    const float *background;  /* (features,) or NULL */
    const int64_t *labels;    /* (groups, samples) or NULL */
    const int *group;         /* of every run */
    const int *active;        /* features of every group that differ from the background */
    int64_t group_x;          /* numbers from one group to the next */
    int samples, features, step, by_sample; /* step: from one row of x to the next */
} Batch;

typedef struct {
    float *W, *b;         /* of the first run */
    int64_t run_W, run_b; /* numbers from one run to the next */
} LayerGradients;

typedef struct {
    Gemm gemm;
    const Layer *layers;
    const float *settings; /* of every run: the slope or α of its activation */
    float *scratch;        /* see `mlp_scratch` */
    int64_t largest;       /* rows or columns of any layer's weights */
    int num_layers, num_runs, activation;
} Mlp;

/* Rows of the scratch memory behind its two matrices: sums or biases of a layer, then products of a
row with the background, then three rows of the loss. */
static inline float *sums_of(const Mlp *mlp, const Batch *batch)
{
    return mlp->scratch + 2 * mlp->largest * batch->samples;
}

static inline int kind_of(const Mlp *mlp, int index)
{
    return index == mlp->num_layers - 1 ? IDENTITY : mlp->activation;
}

static inline const float *inputs_of(const Batch *batch, int run)
{
    return batch->x + batch->group_x * batch->group[run];
}

const float *multiply_layer(const Mlp *mlp, const Batch *batch, int run, int index, const float *h,
                            float *a);
void activate_layer(int kind, float *a, const float *b, int units, int samples, float setting);
void forward_layer(const Mlp *mlp, const Batch *batch, int run, int index, const float *h, float *a);
void weight_gradient(const Mlp *mlp, const Batch *batch, int run, int index, const float *dz,
                     const float *h, const float *sums, float *dW, int subtracts);
void cross_entropy(const Mlp *mlp, const Batch *batch, int run, const float *z, float rate,
                   float *gradient, float *loss, float *accuracy);

#endif
