#include "stepper.h"

#include "dop853.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* h |lambda| at which the method stops being stable (Hairer et al. 1993), and how many steps in a row, but
 * for spells shorter than six, must be there before the problem counts as stiff. */
#define STABILITY 6.1
#define STIFF_STEPS 15
#define CALM_STEPS 6

typedef struct explicit_pair {
    double *k[SLOPES]; /* slopes of the stages; k[STAGES] that of the end */
    double *next, *stage;
    double *old;     /* solution at s->from */
    double *form[7]; /* of the interpolant */
    double h;        /* next step to try */
    double last;     /* step taken */
    double rate;     /* |lambda| in the direction fast, the fastest so far */
    double *fast;
    long first_steps; /* s->steps at the start */
    bool has_form;
    int stiff_steps, calm_steps;
} explicit_pair;

static double norm(const lnt_stepper *s, const double *x)
{
    return sqrt(lnt_weighted_squares(s->opts, x, s->y, s->y, s->ode->size) / (double)s->ode->size);
}

/* The starting step of Hairer et al. (1993, section II.4): an Euler step tells the second derivative. */
static int first_step(lnt_stepper *s)
{
    explicit_pair *m = s->method;
    double span = s->end - s->t, size = norm(s, s->y), slope = norm(s, m->k[0]);
    double h = size < 1e-5 || slope < 1e-5 ? 1e-6 : 0.01 * size / slope;
    h = fmin(h, span);
    lnt_combine(m->stage, s->y, m->k, (double[]){1}, h, 1, s->ode->size);
    int got = lnt_slope(s, m->k[1], s->t + h, m->stage);
    if (got < 0)
        return got;
    double bend = 0;
    if (got == STEP_DONE) {
        lnt_combine(m->stage, NULL, m->k, (double[]){-1, 1}, 1, 2, s->ode->size);
        bend = norm(s, m->stage) / h;
    }
    double most = fmax(slope, bend), wanted = most <= 1e-15 ? fmax(1e-6, h * 1e-3) : pow(0.01 / most, 1.0 / 8);
    m->h = fmin(fmin(100 * h, wanted), span);
    return STEP_DONE;
}

/* The estimates of orders 5 and 3 together make one of order 7. */
static double error(const lnt_stepper *s, double h)
{
    const explicit_pair *m = s->method;
    size_t n = s->ode->size;
    double sum5 = 0, sum3 = 0;
    for (size_t first = 0; first < n; first += LNT_BLOCK) {
        double e5[LNT_BLOCK], e3[LNT_BLOCK];
        size_t count = n - first < LNT_BLOCK ? n - first : LNT_BLOCK;
        double *at[STAGES];
        for (int j = 0; j < STAGES; j++)
            at[j] = m->k[j] + first;
        lnt_combine(e5, NULL, at, error5, 1, STAGES, count);
        lnt_combine(e3, NULL, at, error3, 1, STAGES, count);
        sum5 += lnt_weighted_squares(s->opts, e5, s->y + first, m->next + first, count);
        sum3 += lnt_weighted_squares(s->opts, e3, s->y + first, m->next + first, count);
    }
    double both = sum5 + 0.01 * sum3;
    return both == 0 ? 0 : h * sum5 / sqrt(both * (double)n);
}

/* All stages of a step of size h; STEP_REJECTED where one is out of bounds. */
static int stages(lnt_stepper *s, double h)
{
    explicit_pair *m = s->method;
    for (int i = 1; i < STAGES; i++) {
        lnt_combine(m->stage, s->y, m->k, weight[i], h, i, s->ode->size);
        int got = lnt_slope(s, m->k[i], i == STAGES - 1 ? s->t + h : s->t + node[i] * h, m->stage);
        if (got != STEP_DONE)
            return got;
    }
    lnt_combine(m->next, s->y, m->k, weight[STAGES], h, STAGES, s->ode->size);
    return STEP_DONE;
}

/* |lambda| as two points at the same time tell it by their slopes: the last stage and the solution. At rest they differ
 * by rounding only, which tells nothing. The largest so far leaves its direction. */
static double rate_of_step(lnt_stepper *s)
{
    explicit_pair *m = s->method;
    size_t n = s->ode->size;
    double rise = lnt_distance(m->k[STAGES], m->k[STAGES - 1], n), run = lnt_distance(m->next, m->stage, n);
    double rate = run > 1e-14 * lnt_distance(m->next, NULL, n) ? rise / run : 0;
    if (rate > m->rate) {
        m->rate = rate;
        lnt_combine(m->fast, NULL, (double *[]){m->k[STAGES], m->k[STAGES - 1]}, (double[]){1, -1}, 1 / rise, 2, n);
    }
    return rate;
}

/* The rate now along the fastest direction so far, by one step of the power method. */
static int probe_rate(lnt_stepper *s)
{
    explicit_pair *m = s->method;
    size_t n = s->ode->size;
    double *y = m->stage, *k = m->k[STAGES + 1], small = 1e-7 * fmax(lnt_distance(m->next, NULL, n), s->opts->atol);
    lnt_combine(y, m->next, &m->fast, (double[]){1}, small, 1, n);
    int got = lnt_slope(s, k, s->t + m->last, y);
    double rise = lnt_distance(k, m->k[STAGES], n);
    if (got == STEP_DONE && rise > 0) {
        m->rate = rise / small;
        lnt_combine(m->fast, NULL, (double *[]){k, m->k[STAGES]}, (double[]){1, -1}, 1 / rise, 2, n);
    }
    return got < 0 ? got : STEP_DONE;
}

/* The next step: as accuracy wants it, or stability. The error estimate alone lets pass steps that are too long to be
 * stable, with errors of a thousand times what it says, and the steps do not show a fast mode that has decayed. */
static int choose_step(lnt_stepper *s, double wanted)
{
    explicit_pair *m = s->method;
    double now = rate_of_step(s), most = 0.95 * STABILITY;
    int got = wanted * now <= most && wanted * m->rate > most ? probe_rate(s) : STEP_DONE;
    m->h = fmin(wanted, most / fmax(now, m->rate));
    if (m->h < wanted) {
        m->calm_steps = 0;
        s->stiff = ++m->stiff_steps >= STIFF_STEPS;
    } else if (++m->calm_steps >= CALM_STEPS) {
        m->stiff_steps = 0;
        s->stiff = false;
    }
    return got;
}

static void accept(lnt_stepper *s, double h, bool last)
{
    explicit_pair *m = s->method;
    double *free = m->old;
    m->old = s->y;
    s->y = m->next;
    m->next = free;
    m->has_form = false;
    s->from = s->t;
    s->t = last ? s->end : s->t + h;
    s->steps++;
}

static double shrink(double e)
{
    return isfinite(e) ? fmax(0.2, 0.9 * pow(e, -1.0 / 8)) : 0.2;
}

static int advance(lnt_stepper *s)
{
    explicit_pair *m = s->method;
    double growth = 10;
    int got = STEP_DONE;
    if (s->steps == m->first_steps) {
        got = first_step(s);
    } else { /* the slope at the end of the last step begins this one */
        double *swap = m->k[0];
        m->k[0] = m->k[STAGES];
        m->k[STAGES] = swap;
    }
    while (got >= 0) {
        bool last = s->t + 1.01 * m->h >= s->end;
        double h = last ? s->end - s->t : m->h, e = INFINITY;
        if (!(h > 16 * DBL_EPSILON * fabs(s->t)) && !last)
            return STEP_STUCK;
        got = stages(s, h);
        if (got == STEP_DONE && (e = error(s, h)) < 1)
            got = lnt_slope(s, m->k[STAGES], s->t + h, m->next);
        if (got == STEP_DONE && e < 1) {
            m->last = h;
            got = choose_step(s, h * fmin(growth, e == 0 ? growth : shrink(e)));
            accept(s, h, last);
            return got;
        }
        s->rejected++;
        growth = 1;
        m->h = h * (got == STEP_DONE ? shrink(e) : 0.2);
        if (!(m->h > 16 * DBL_EPSILON * fabs(s->t)) || m->h < DBL_MIN)
            return STEP_STUCK;
    }
    return got;
}

/* The seven forms of the interpolant; without its further slopes, which may be out of bounds, it is Hermite's cubic. */
static int make_form(lnt_stepper *s)
{
    explicit_pair *m = s->method;
    size_t n = s->ode->size;
    double h = m->last;
    int got = STEP_DONE;
    for (int i = STAGES + 1; i < SLOPES && got == STEP_DONE; i++) {
        lnt_combine(m->stage, m->old, m->k, weight[i], h, i, n);
        got = lnt_slope(s, m->k[i], s->from + node[i] * h, m->stage);
    }
    if (got < 0)
        return got;
    for (size_t i = 0; i < n; i++) {
        double rise = s->y[i] - m->old[i], before = h * m->k[0][i], after = h * m->k[STAGES][i];
        m->form[0][i] = rise;
        m->form[1][i] = before - rise;
        m->form[2][i] = 2 * rise - before - after;
    }
    for (int f = 0; f < 4; f++)
        if (got == STEP_DONE)
            lnt_combine(m->form[3 + f], NULL, m->k, dense[f], h, SLOPES, n);
        else
            memset(m->form[3 + f], 0, n * sizeof(double));
    m->has_form = true;
    return STEP_DONE;
}

static int at(lnt_stepper *s, double time, double *y)
{
    explicit_pair *m = s->method;
    if (time == s->t) {
        memcpy(y, s->y, s->ode->size * sizeof *y);
        return STEP_DONE;
    }
    int got = m->has_form ? STEP_DONE : make_form(s);
    if (got != STEP_DONE)
        return got;
    double x = (time - s->from) / m->last, c[7], factor = 1;
    for (int f = 0; f < 7; f++)
        c[f] = factor *= f % 2 ? 1 - x : x;
    lnt_combine(y, m->old, m->form, c, 1, 7, s->ode->size);
    return STEP_DONE;
}

static void close(lnt_stepper *s)
{
    (void)s; /* all memory is the context's */
}

int lnt_explicit_open(lnt_stepper *s)
{
    size_t n = s->ode->size;
    explicit_pair *m = lnt_alloc_zero(s->ctx, 1, sizeof *m);
    double *pool = lnt_alloc(s->ctx, n, (SLOPES + 7 + 5) * sizeof *pool);
    if (!m || !pool)
        return STEP_NOMEM;
    double **wanted[] = {&m->next, &m->stage, &m->old, &m->fast, &s->y};
    const double *start = s->y;
    for (int i = 0; i < SLOPES; i++, pool += n)
        m->k[i] = pool;
    for (int i = 0; i < 7; i++, pool += n)
        m->form[i] = pool;
    for (int i = 0; i < 5; i++, pool += n)
        *wanted[i] = pool;
    memcpy(s->y, start, n * sizeof *s->y);
    m->first_steps = s->steps;
    s->method = m;
    s->advance = advance;
    s->at = at;
    s->close = close;
    return lnt_slope(s, m->k[0], s->t, s->y);
}
