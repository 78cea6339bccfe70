/* The two-dimensional Ising model without a field, by the Metropolis algorithm.
 *
 *   ising --size L --temperature T --sweeps N --seed S [--every K] [--spins FILE]
 *
 * Starts with all spins up, lets the first third of the sweeps pass, and then measures after every
 * K-th. Prints one JSON object with means per spin; FILE gets each measured lattice, one signed byte
 * (+1 or -1) a spin, row by row, L*L bytes a lattice, in the order of time. Boundaries are periodic,
 * the coupling and Boltzmann's constant are 1. C99 and the C library, nothing else.
 */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plan {
    long size, sweeps, every;
    uint64_t seed;
    double temperature;
    const char *spins;
};

struct lattice {
    long size;
    signed char *spin;
    uint64_t random;
    double accept[9]; /* probability of a flip, by half the energy that it costs plus 4 */
};

static void die(const char *what, const char *about) {
    fprintf(stderr, "ising: %s %s\n", what, about);
    exit(2);
}

/* splitmix64: the same numbers on every machine, which rand() does not promise. */
static uint64_t next(struct lattice *l) {
    uint64_t z = (l->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double uniform(struct lattice *l) {
    return (double)(next(l) >> 11) * 0x1.0p-53;
}

static void prepare(struct lattice *l, const struct plan *p) {
    l->size = p->size;
    l->random = p->seed;
    l->spin = malloc((size_t)(p->size * p->size));
    if (!l->spin)
        die("no memory for a lattice of", "that --size");
    memset(l->spin, 1, (size_t)(p->size * p->size));
    for (int cost = -4; cost <= 4; cost++)
        l->accept[cost + 4] = cost <= 0 ? 1.0 : exp(-2.0 * cost / p->temperature);
}

static int neighbours(const struct lattice *l, long row, long column) {
    long n = l->size, up = (row + n - 1) % n, down = (row + 1) % n;
    long left = (column + n - 1) % n, right = (column + 1) % n;
    return l->spin[up * n + column] + l->spin[down * n + column] + l->spin[row * n + left] + l->spin[row * n + right];
}

/* One try a spin, in the order of the lattice; returns how many flipped. */
static long sweep(struct lattice *l) {
    long flipped = 0;
    for (long row = 0; row < l->size; row++)
        for (long column = 0; column < l->size; column++) {
            signed char *s = &l->spin[row * l->size + column];
            double chance = l->accept[*s * neighbours(l, row, column) + 4];
            if (chance >= 1.0 || uniform(l) < chance) {
                *s = (signed char)-*s;
                flipped++;
            }
        }
    return flipped;
}

/* Energy and magnetisation per spin. Each bond is counted once, from both its ends by half. */
static void measure(const struct lattice *l, double *energy, double *magnetisation) {
    long bonds = 0, up = 0, n = l->size;
    for (long row = 0; row < n; row++)
        for (long column = 0; column < n; column++) {
            int s = l->spin[row * n + column];
            bonds += s * neighbours(l, row, column);
            up += s;
        }
    *energy = -0.5 * (double)bonds / (double)(n * n);
    *magnetisation = (double)up / (double)(n * n);
}

static void keep(const struct lattice *l, FILE *file, const char *name) {
    size_t bytes = (size_t)(l->size * l->size);
    if (file && fwrite(l->spin, 1, bytes, file) != bytes)
        die(strerror(errno), name);
}

static void run(const struct plan *p) {
    struct lattice l;
    FILE *file = p->spins ? fopen(p->spins, "wb") : NULL;
    double energy = 0, magnetisation = 0, e, m;
    long flipped = 0, samples = 0;
    if (p->spins && !file)
        die(strerror(errno), p->spins);
    prepare(&l, p);
    for (long done = 1; done <= p->sweeps; done++) {
        flipped += sweep(&l);
        if (done <= p->sweeps / 3 || done % p->every)
            continue;
        measure(&l, &e, &m);
        energy += e;
        magnetisation += fabs(m);
        samples++;
        keep(&l, file, p->spins);
    }
    if (file && fclose(file))
        die(strerror(errno), p->spins);
    if (!samples)
        die("nothing was measured:", "--sweeps is too small for --every");
    printf("{\"energy\": %.6f, \"magnetisation\": %.6f, \"accepted\": %.6f, \"samples\": %ld}\n",
           energy / (double)samples, magnetisation / (double)samples,
           (double)flipped / ((double)p->sweeps * (double)p->size * (double)p->size), samples);
    free(l.spin);
}

static double number(const char *name, const char *text, double least) {
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value >= least))
        die("no good value for", name);
    return value;
}

int main(int argc, char **argv) {
    struct plan p = {.size = 0, .sweeps = 0, .every = 10, .seed = 1, .temperature = 0, .spins = NULL};
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(name, "--size"))
            p.size = (long)number(name, value, 2);
        else if (!strcmp(name, "--sweeps"))
            p.sweeps = (long)number(name, value, 1);
        else if (!strcmp(name, "--every"))
            p.every = (long)number(name, value, 1);
        else if (!strcmp(name, "--seed"))
            p.seed = (uint64_t)number(name, value, 0);
        else if (!strcmp(name, "--temperature"))
            p.temperature = number(name, value, 1e-6);
        else if (!strcmp(name, "--spins") && *value)
            p.spins = value;
        else
            die("what is", name);
    }
    if (!p.size || !p.sweeps || p.temperature <= 0)
        die("needs --size, --temperature and", "--sweeps");
    run(&p);
    return 0;
}
