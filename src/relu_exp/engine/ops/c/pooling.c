/* The largest value of every 2 × 2 square of maps (maps, height, width), and its gradient. An odd last
row or column is left out. */

#include <stdint.h>
#include <string.h>

/* The larger of two values, of equal ones the first; NaN if one is. */
static inline float larger(float x, float y)
{
    const float most = y > x ? y : x;
    return y == y ? most : y;
}

void max_pool(const float *maps, int64_t num_maps, int height, int width, float *pooled)
{
    const int rows = height / 2, columns = width / 2;
    for (int64_t row = 0; row < num_maps * rows; row++) {
        const int64_t start = ((row / rows) * height + row % rows * 2) * width;
        const float *restrict top = maps + start, *restrict bottom = top + width;
        float *restrict out = pooled + row * columns;
        for (int c = 0; c < columns; c++) {
            const float a = top[2 * c], b = top[2 * c + 1];
            const float d = bottom[2 * c], e = bottom[2 * c + 1];
            const float above = larger(a, b), below = larger(d, e);
            out[c] = larger(above, below);
        }
    }
}

/* Of equal values the first one gets the gradient. */
void max_pool_backward(const float *maps, const float *pooled, const float *gradient,
                       int64_t num_maps, int height, int width, float *found)
{
    const int rows = height / 2, columns = width / 2;
    if (height % 2 || width % 2)
        memset(found, 0, sizeof *found * num_maps * height * width);
    for (int64_t row = 0; row < num_maps * rows; row++) {
        const int64_t start = ((row / rows) * height + row % rows * 2) * width;
        const float *top = maps + start, *bottom = top + width;
        const float *largest = pooled + row * columns, *g = gradient + row * columns;
        float *restrict above = found + start, *restrict below = above + width;
        for (int c = 0; c < columns; c++) {
            const float m = largest[c];
            const int first = top[2 * c] == m, second = (top[2 * c + 1] == m) & !first;
            const int third = (bottom[2 * c] == m) & !(first | second);
            const int fourth = (bottom[2 * c + 1] == m) & !(first | second | third);
            above[2 * c] = first ? g[c] : 0.0f;
            above[2 * c + 1] = second ? g[c] : 0.0f;
            below[2 * c] = third ? g[c] : 0.0f;
            below[2 * c + 1] = fourth ? g[c] : 0.0f;
        }
    }
}
