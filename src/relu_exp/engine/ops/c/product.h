/* Matrix products by a BLAS library's `sgemm`. */

#ifndef PRODUCT_H
#define PRODUCT_H

typedef void (*Gemm)(const char *, const char *, const int *, const int *, const int *,
                     const float *, const float *, const int *, const float *, const int *,
                     const float *, float *, const int *);

/* C (m, n) = A B, or C −= A B; operands may be stored transposed. BLAS is column-major. */
static inline void multiply(Gemm gemm, float *C, const float *A, const float *B, int m, int k,
                            int n, int step_C, int step_A, int step_B, int A_is_T, int B_is_T,
                            int subtracts)
{
    const float alpha = subtracts ? -1 : 1, beta = subtracts ? 1 : 0;
    gemm(B_is_T ? "T" : "N", A_is_T ? "T" : "N", &n, &m, &k, &alpha, B, &step_B, A, &step_A, &beta,
         C, &step_C);
}

#endif
