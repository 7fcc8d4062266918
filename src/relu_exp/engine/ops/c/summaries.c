/* What a probe says of every run's layer, each in one or two passes with float64 sums: the squares of
vanished gradients do not leave their range, and a small spread around a large mean is not lost.

Runs lie `run_x` numbers apart; a run's x is (units, samples) or (size,), row-major. */

#include "summaries.h"

#include "elementwise.h"

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

/* Every `step`-th number of a row: the row itself, or a copy of them. */
static const float *taken(const float *row, int64_t size, int64_t step, float *copy)
{
    if (step == 1)
        return row;
    for (int64_t i = 0; i < size; i++)
        copy[i] = row[i * step];
    return copy;
}

/* How far rows are from their mean, by all of their norm: of every row each `step`-th number.
`scratch` holds the mean row, and as many floats. */
void spreads(const float *x, int64_t run_x, int num_runs, int rows, int64_t columns, int64_t step,
             double *scratch, float *found)
{
    const int64_t size = (columns + step - 1) / step;
    double *restrict mean = scratch;
    float *copy = (float *)(scratch + size);
    for (int run = 0; run < num_runs; run++) {
        const float *v = x + run * run_x;
        double all = 0, distance = 0;
        for (int64_t i = 0; i < size; i++)
            mean[i] = 0;
        for (int row = 0; row < rows; row++) {
            const float *w = taken(v + row * columns, size, step, copy);
            for (int64_t i = 0; i < size; i++)
                mean[i] += w[i];
        }
        for (int64_t i = 0; i < size; i++)
            mean[i] /= rows;
        for (int row = 0; row < rows; row++) {
            const float *w = taken(v + row * columns, size, step, copy);
            double of_row;
            SUM(of_row, size, square(w[i]));
            all += of_row;
            SUM(of_row, size, square(w[i] - mean[i]));
            distance += of_row;
        }
        found[run] = all == 0 ? 0.0f : (float)sqrt(distance / all);
    }
}

static inline int32_t bits_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float number(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The bits of |x|, which are ordered as the numbers are; those of infinity and NaN are the largest. */
static inline int32_t magnitude(float x)
{
    return bits_of(x) & INT32_MAX;
}

/* Integers ordered as the numbers with these bits, and back; NaN is at one of the ends. */
static inline int32_t ordered(int32_t bits)
{
    return bits ^ ((bits >> 31) & INT32_MAX);
}

/* The least and the largest of some values; NaN if one is. */
static void find_ends(const float *v, int64_t size, float *minimum, float *maximum)
{
    int32_t least = INT32_MAX, most = INT32_MIN;
    for (int64_t i = 0; i < size; i++) {
        const int32_t place = ordered(bits_of(v[i]));
        least = place < least ? place : least;
        most = place > most ? place : most;
    }
    const float low = number(ordered(least)), high = number(ordered(most));
    const int is_nan = isnan(low) || isnan(high);
    *minimum = is_nan ? NAN : low + 0.0f; /* no negative zero */
    *maximum = is_nan ? NAN : high + 0.0f;
}

#define COUNTED 512

/* Counts in `bins` bins from `low` on, `scale` of them in a unit, and of what lies below and above
them (runs, bins + 2); NaN counts as above. Three rows of x (3, runs): least, largest, mean. */
void histograms(const float *x, int64_t run_x, int num_runs, int64_t size, float low, float scale,
                int bins, int32_t *counts, float *extents)
{
    memset(counts, 0, sizeof *counts * num_runs * (bins + 2));
    for (int run = 0; run < num_runs; run++, counts += bins + 2) {
        const float *v = x + run * run_x;
        double sum;
        for (int64_t first = 0; first < size; first += COUNTED) {
            int32_t place[COUNTED]; /* found before they are counted, so that it can be vectorized */
            const int count = size - first < COUNTED ? (int)(size - first) : COUNTED;
            for (int i = 0; i < count; i++) {
                float p = floorf((v[first + i] - low) * scale);
                p = p < -1.0f ? -1.0f : p;
                p = p <= bins ? p : bins; /* NaN is above */
                place[i] = 1 + (int32_t)p;
            }
            for (int i = 0; i < count; i++)
                counts[place[i]]++;
        }
        find_ends(v, size, extents + run, extents + num_runs + run);
        SUM(sum, size, (double)v[i]);
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
        int32_t largest = 0, farthest = 0;
        for (int unit = 0; unit < units; unit++) {
            float *d = deviations + (int64_t)unit * size;
            const float *v = taken(x + run * run_x + (int64_t)unit * samples, size, step, d);
            double mean;
            SUM(mean, size, (double)v[i]);
            mean /= size;
            for (int s = 0; s < size; s++) {
                largest = magnitude(v[s]) > largest ? magnitude(v[s]) : largest;
                d[s] = (float)(v[s] - mean);
                farthest = magnitude(d[s]) > farthest ? magnitude(d[s]) : farthest;
            }
        }
        const float most = number(farthest);
        found[run] = 0;
        if (!isfinite(number(largest)) || !isfinite(most) || most <= rounding * number(largest))
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
