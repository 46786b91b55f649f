/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what do a solver's temporaries cost the pictures that are made of its progress?
 *
 * The conjugate gradient method on a square grid. Each iteration allocates what it needs for
 * itself and frees it; after every fourth a snapshot is rendered on another stream. cudaFree
 * waits for the rendering too, beside which the next iterations could run: 3.2 + 3 ms for four
 * of them. Fixed: the temporaries are allocated once, and the solver's 3.2 ms are all.
 */
#include "larger.h"

#define SIDE 256
#define UNKNOWNS (SIDE * SIDE)
#define BYTES (UNKNOWNS * sizeof(double))
#define PERIODS 70
#define STEPS 4 /* iterations of a period */
#define KERNEL_NS (200 * US)
#define RENDER_NS (3 * MS)

static cudaStream_t solver, viewer;
static cudaEvent_t taken, rendered;
static double *x, *r, *p, *snapshot, *pictures;
static double *rr[2]; /* r.r of this iteration and of the one before, by block */
static int free_line;

/* The sum over a block, in an order that is always the same; thread 0 has it. */
__device__ static double block_sum(double value)
{
	__shared__ double part[THREADS];

	part[threadIdx.x] = value;
	for (unsigned int half = THREADS / 2; half; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half)
			part[threadIdx.x] += part[threadIdx.x + half];
	}
	return part[0];
}

__device__ static double total(const double *by_block)
{
	double sum = 0;

	for (int i = 0; i < BLOCKS; i++)
		sum += by_block[i];
	return sum;
}

__device__ static double ratio(const double *above, const double *below)
{
	double divisor = total(below);

	return divisor == 0 ? 0 : total(above) / divisor;
}

/* b is 1 everywhere: r = p = b, x = 0. */
__global__ void begin_spin(long long ns, double *r, double *p, double *rr)
{
	long long start = device_ns();
	double sum = 0;

	for (int i = first_element(); i < UNKNOWNS; i += element_stride()) {
		r[i] = p[i] = 1;
		sum += 1;
	}
	sum = block_sum(sum);
	if (threadIdx.x == 0)
		rr[blockIdx.x] = sum;
	spin_rest(start, ns);
}

/* q = A p */
__global__ void stencil_spin(long long ns, double *q, const double *p)
{
	long long start = device_ns();

	for (int i = first_element(); i < UNKNOWNS; i += element_stride()) {
		int row = i / SIDE, column = i % SIDE;
		double around = (row ? p[i - SIDE] : 0) + (row < SIDE - 1 ? p[i + SIDE] : 0) +
				(column ? p[i - 1] : 0) + (column < SIDE - 1 ? p[i + 1] : 0);

		q[i] = 4 * p[i] - around;
	}
	spin_rest(start, ns);
}

__global__ void dot_spin(long long ns, double *by_block, const double *a, const double *b)
{
	long long start = device_ns();
	double sum = 0;

	for (int i = first_element(); i < UNKNOWNS; i += element_stride())
		sum += a[i] * b[i];
	sum = block_sum(sum);
	if (threadIdx.x == 0)
		by_block[blockIdx.x] = sum;
	spin_rest(start, ns);
}

/* x += a p, r -= a q, where a = r.r / p.q; also the new r.r */
__global__ void advance_spin(long long ns, double *x, double *r, double *new_rr,
				    const double *p, const double *q, const double *rr,
				    const double *pq)
{
	long long start = device_ns();
	double a = ratio(rr, pq), sum = 0;

	for (int i = first_element(); i < UNKNOWNS; i += element_stride()) {
		x[i] += a * p[i];
		r[i] -= a * q[i];
		sum += r[i] * r[i];
	}
	sum = block_sum(sum);
	if (threadIdx.x == 0)
		new_rr[blockIdx.x] = sum;
	spin_rest(start, ns);
}

/* p = r + (new r.r / r.r) p */
__global__ void turn_spin(long long ns, double *p, const double *r, const double *new_rr,
				 const double *rr)
{
	long long start = device_ns();
	double b = ratio(new_rr, rr);

	for (int i = first_element(); i < UNKNOWNS; i += element_stride())
		p[i] = r[i] + b * p[i];
	spin_rest(start, ns);
}

/* What is in use of it and what is free to be the next, on two streams. */
static void render_snapshot(int period)
{
	CHECK(cudaStreamWaitEvent(solver, rendered, 0));
	CHECK(cudaMemcpyAsync(snapshot, x, BYTES, cudaMemcpyDeviceToDevice, solver));
	CHECK(cudaEventRecord(taken, solver));
	CHECK(cudaStreamWaitEvent(viewer, taken, 0));
	dot_spin<<<BLOCKS, THREADS, 0, viewer>>>(RENDER_NS, pictures + period * BLOCKS, snapshot,
						 snapshot);
	CHECK(cudaEventRecord(rendered, viewer));
}

static void iterate(int i, double *q, double *pq)
{
	double *old_rr = rr[i % 2], *new_rr = rr[(i + 1) % 2];

	stencil_spin<<<BLOCKS, THREADS, 0, solver>>>(KERNEL_NS, q, p);
	dot_spin<<<BLOCKS, THREADS, 0, solver>>>(KERNEL_NS, pq, p, q);
	advance_spin<<<BLOCKS, THREADS, 0, solver>>>(KERNEL_NS, x, r, new_rr, p, q, old_rr, pq);
	turn_spin<<<BLOCKS, THREADS, 0, solver>>>(KERNEL_NS, p, r, new_rr, old_rr);
	if (i % STEPS == STEPS - 1)
		render_snapshot(i / STEPS);
}

static void solve(void)
{
	for (int i = 0; i < PERIODS * STEPS; i++) {
		double *q, *pq;

		CHECK(cudaMalloc(&q, BYTES));
		CHECK(cudaMalloc(&pq, BLOCKS * sizeof(double)));
		iterate(i, q, pq);
		AT(free_line, cudaFree(q));
		CHECK(cudaFree(pq));
	}
}

static void solve_fixed(void)
{
	double *q = (double *)device_memory(BYTES);
	double *pq = (double *)device_memory(BLOCKS * sizeof(double));

	for (int i = 0; i < PERIODS * STEPS; i++)
		iterate(i, q, pq);
}

static void set_up(void)
{
	warm_up();
	solver = non_blocking_stream();
	viewer = non_blocking_stream();
	CHECK(cudaEventCreateWithFlags(&taken, cudaEventDisableTiming));
	CHECK(cudaEventCreateWithFlags(&rendered, cudaEventDisableTiming));
	x = (double *)zeroed_device_memory(BYTES);
	r = (double *)zeroed_device_memory(BYTES);
	p = (double *)zeroed_device_memory(BYTES);
	snapshot = (double *)zeroed_device_memory(BYTES);
	pictures = (double *)zeroed_device_memory(PERIODS * BLOCKS * sizeof(double));
	rr[0] = (double *)zeroed_device_memory(BLOCKS * sizeof(double));
	rr[1] = (double *)zeroed_device_memory(BLOCKS * sizeof(double));
	CHECK(cudaDeviceSynchronize());
	begin_spin<<<BLOCKS, THREADS, 0, solver>>>(KERNEL_NS, r, p, rr[0]);
}

static uint64_t read_results(void)
{
	double *host = (double *)pageable_memory(BYTES);
	uint64_t sum;

	CHECK(cudaMemcpy(host, x, BYTES, cudaMemcpyDeviceToHost));
	sum = sum_words(0, host, BYTES);
	CHECK(cudaMemcpy(host, pictures, PERIODS * BLOCKS * sizeof(double),
			 cudaMemcpyDeviceToHost));
	return sum_words(sum, host, PERIODS * BLOCKS * sizeof(double));
}

int main(int argc, char **argv)
{
	bool fixed = wants_fixed(argc, argv);
	long long start;

	set_up();
	start = now_ns();
	if (fixed)
		solve_fixed();
	else
		solve();
	CHECK(cudaDeviceSynchronize());
	print_result(read_results());
	print_work(start);

	expect("calls cudaMalloc %d", 7 + (fixed ? 2 : 2 * PERIODS * STEPS));
	expect("calls cudaFree %d", fixed ? 0 : 2 * PERIODS * STEPS);
	if (fixed) {
		expect("nothing_serialized");
		return done();
	}
	expect("blocked cudaFree class=device_wait on=dot_spin at=%s count>=60 ns=1e6..20e6",
	       SITE(free_line));
	expect("serialized cudaFree at=%s victim=stencil_spin", SITE(free_line));
	return done();
}
