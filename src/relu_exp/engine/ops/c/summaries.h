/* Summaries of every run's part of a tensor: see `summaries.c`. */

#ifndef SUMMARIES_H
#define SUMMARIES_H

#include "product.h"

#include <stdint.h>

void norms(const float *x, int64_t run_x, int num_runs, int64_t size, float *found);
void moments(const float *x, int64_t run_x, int num_runs, int units, int64_t samples, float *found);
void shares(const float *derivative, const float *a, int64_t run_x, int num_runs, int units,
            int samples, const float *limits, float *found);
void spreads(const float *x, int64_t run_x, int num_runs, int rows, int64_t columns, int64_t step,
             double *scratch, float *found);
void histograms(const float *x, int64_t run_x, int num_runs, int64_t size, float low, float scale,
                int bins, int32_t *counts, float *extents);
void effective_ranks(Gemm gemm, const float *x, int64_t run_x, int num_runs, int units, int samples,
                     int step, float rounding, float *scratch, float *found);

#endif
