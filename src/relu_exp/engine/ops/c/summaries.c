/* What a probe says of every run's layer, each in one or two passes with float64 sums: the squares of
vanished gradients do not leave their range, and a small spread around a large mean is not lost.

Runs lie `run_x` numbers apart; a run's x is (units, samples) or (size,), row-major. */

#include "elementwise.h"
#include "product.h"

static double sum_of_lanes(double *lanes)
{
    for (int half = LANES / 2; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0];
}

/* The sum of `term`, an expression of i, over i < size. */
#define SUM(result, size, term)                                                                    \
    do {                                                                                           \
        double lanes[LANES] = {0};                                                                 \
        int64_t first = 0;                                                                         \
        for (; first + LANES <= (size); first += LANES)                                            \
            for (int lane = 0; lane < LANES; lane++) {                                             \
                const int64_t i = first + lane;                                                    \
                lanes[lane] += (term);                                                             \
            }                                                                                      \
        for (int lane = 0; first + lane < (size); lane++) {                                        \
            const int64_t i = first + lane;                                                        \
            lanes[lane] += (term);                                                                 \
        }                                                                                          \
        (result) = sum_of_lanes(lanes);                                                            \
    } while (0)

static inline double square(double x)
{
    return x * x;
}

/* Euclidean norms. */
void norms(const float *x, int64_t run_x, int num_runs, int64_t size, float *found)
{
    for (int run = 0; run < num_runs; run++) {
        const float *v = x + run * run_x;
        double sum;
        SUM(sum, size, square(v[i]));
        found[run] = (float)sqrt(sum);
    }
}

/* Euclidean norms of x − y. */
void norms_of_differences(const float *x, int64_t run_x, const float *y, int64_t run_y,
                          int num_runs, int64_t size, float *found)
{
    for (int run = 0; run < num_runs; run++) {
        const float *v = x + run * run_x, *w = y + run * run_y;
        double sum;
        SUM(sum, size, square((double)v[i] - w[i]));
        found[run] = (float)sqrt(sum);
    }
}

/* Four rows (4, runs): the mean, the standard deviation, the root mean square over units of the
deviation over samples, and of the units' means. */
void moments(const float *x, int64_t run_x, int num_runs, int units, int64_t samples, float *found)
{
    for (int run = 0; run < num_runs; run++) {
        double sum = 0, within = 0, squares = 0;
        for (int unit = 0; unit < units; unit++) {
            const float *v = x + run * run_x + unit * samples;
            double mean, around;
            SUM(mean, samples, (double)v[i]);
            mean /= samples;
            SUM(around, samples, square(v[i] - mean));
            sum += mean;
            within += around;
            squares += square(mean);
        }
        const double mean = sum / units;
        double between = 0;
        for (int unit = 0; unit < units; unit++) {
            const float *v = x + run * run_x + unit * samples;
            double of_unit;
            SUM(of_unit, samples, (double)v[i]);
            between += square(of_unit / samples - mean);
        }
        found[run] = (float)mean;
        found[num_runs + run] = (float)sqrt(within / ((double)units * samples) + between / units);
        found[2 * num_runs + run] = (float)sqrt(within / ((double)units * samples));
        found[3 * num_runs + run] = (float)sqrt(squares / units);
    }
}

/* Three rows (3, runs) of φ′: the share of values up to a limit, and of units that are 0 on every
sample; of activations a: the share of values that are 0. */
void shares(const float *derivative, const float *a, int64_t run_x, int num_runs, int units,
            int samples, const float *limits, float *found)
{
    const float size = (float)((int64_t)units * samples);
    for (int run = 0; run < num_runs; run++) {
        int64_t saturated = 0, zero = 0, dead = 0;
        for (int unit = 0; unit < units; unit++) {
            const float *d = derivative + run * run_x + (int64_t)unit * samples;
            const float *v = a + run * run_x + (int64_t)unit * samples;
            int up_to = 0, zeros = 0, moves = 0;
            for (int s = 0; s < samples; s++) {
                up_to += fabsf(d[s]) <= limits[run];
                zeros += v[s] == 0.0f;
                moves |= d[s] != 0.0f;
            }
            saturated += up_to;
            zero += zeros;
            dead += !moves;
        }
        found[run] = (float)saturated / size;
        found[num_runs + run] = (float)dead / (float)units;
        found[2 * num_runs + run] = (float)zero / size;
    }
}

/* How far rows are from their mean, by all of their norm: of every row each `step`-th number. */
void spreads(const float *x, int64_t run_x, int num_runs, int rows, int64_t columns, int64_t step,
             double *mean, float *found)
{
    const int64_t size = (columns + step - 1) / step;
    for (int run = 0; run < num_runs; run++) {
        const float *v = x + run * run_x;
        double all = 0, distance = 0;
        for (int64_t i = 0; i < size; i++)
            mean[i] = 0;
        for (int row = 0; row < rows; row++)
            for (int64_t i = 0; i < size; i++)
                mean[i] += v[row * columns + i * step];
        for (int64_t i = 0; i < size; i++)
            mean[i] /= rows;
        for (int row = 0; row < rows; row++) {
            const float *w = v + row * columns;
            double of_row;
            SUM(of_row, size, square(w[i * step]));
            all += of_row;
            SUM(of_row, size, square(w[i * step] - mean[i]));
            distance += of_row;
        }
        found[run] = all == 0 ? 0.0f : (float)sqrt(distance / all);
    }
}

/* Counts in `bins` bins from `low` on, `scale` of them in a unit, and of what lies below and above
them (runs, bins + 2); NaN counts as above. Three rows of x (3, runs): least, largest, mean. */
void histograms(const float *x, int64_t run_x, int num_runs, int64_t size, float low, float scale,
                int bins, int32_t *counts, float *extents)
{
    memset(counts, 0, sizeof *counts * num_runs * (bins + 2));
    for (int run = 0; run < num_runs; run++, counts += bins + 2) {
        const float *v = x + run * run_x;
        float least[LANES], most[LANES];
        int is_nan = 0;
        double sum;
        for (int lane = 0; lane < LANES; lane++)
            least[lane] = most[lane] = v[0];
        for (int64_t first = 0; first < size; first += LANES) {
            int32_t place[LANES];
            const int count = size - first < LANES ? (int)(size - first) : LANES;
            for (int lane = 0; lane < count; lane++) {
                const float u = v[first + lane];
                float p = floorf((u - low) * scale);
                p = p < -1.0f ? -1.0f : p;
                p = p <= bins ? p : bins; /* NaN is above */
                place[lane] = 1 + (int32_t)p;
                least[lane] = u < least[lane] ? u : least[lane];
                most[lane] = u > most[lane] ? u : most[lane];
                is_nan |= u != u;
            }
            for (int lane = 0; lane < count; lane++)
                counts[place[lane]]++;
        }
        for (int lane = 1; lane < LANES; lane++) {
            least[0] = least[lane] < least[0] ? least[lane] : least[0];
            most[0] = most[lane] > most[0] ? most[lane] : most[0];
        }
        SUM(sum, size, (double)v[i]);
        extents[run] = is_nan ? NAN : least[0];
        extents[num_runs + run] = is_nan ? NAN : most[0];
        extents[2 * num_runs + run] = (float)(sum / size);
    }
}

/* The participation ratio of the covariance of units, from every `step`-th sample; 0 where no value
differs from its unit's mean by more than `rounding` of the largest, or one is not finite. `scratch`
holds the deviations and a square matrix. */
void effective_ranks(Gemm gemm, const float *x, int64_t run_x, int num_runs, int units, int samples,
                     int step, float rounding, float *scratch, float *found)
{
    const int size = (samples + step - 1) / step, order = units < size ? units : size;
    float *deviations = scratch, *covariance = scratch + (int64_t)units * size;
    for (int run = 0; run < num_runs; run++) {
        float largest = 0, most = 0;
        int is_finite = 1;
        for (int unit = 0; unit < units; unit++) {
            const float *v = x + run * run_x + (int64_t)unit * samples;
            float *d = deviations + (int64_t)unit * size;
            double mean;
            SUM(mean, size, (double)v[i * step]);
            mean /= size;
            for (int s = 0; s < size; s++) {
                const float value = v[(int64_t)s * step];
                d[s] = (float)(value - mean);
                is_finite &= isfinite(value) != 0;
                largest = fabsf(value) > largest ? fabsf(value) : largest;
                most = fabsf(d[s]) > most ? fabsf(d[s]) : most;
            }
        }
        found[run] = 0;
        if (!is_finite || !isfinite(most) || most <= rounding * largest)
            continue;
        for (int64_t i = 0; i < (int64_t)units * size; i++)
            deviations[i] /= most; /* their products neither vanish nor overflow */
        /* the covariance of units and the Gram matrix of samples have the same nonzero eigenvalues */
        if (units <= size)
            multiply(gemm, covariance, deviations, deviations, units, size, units, units, size, size,
                     0, 1, 0);
        else
            multiply(gemm, covariance, deviations, deviations, size, units, size, size, size, size,
                     1, 0, 0);
        double trace = 0, squares;
        for (int i = 0; i < order; i++)
            trace += covariance[(int64_t)i * order + i];
        SUM(squares, (int64_t)order * order, square(covariance[i]));
        found[run] = (float)(trace * trace / squares);
    }
}
