#include "walk.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

enum { OUT, IN, DEPENDENT }; /* states; dependent: tied, but in the span of those that are active */

#define TIE 1e-12        /* of the first mu */
#define DEPENDENCE 1e-13 /* of a column's square: less left of it is rounding */
#define SLACK 1e-10      /* of the rate at which a tied correlation may outgrow mu */
#define CLOSED 1e-11     /* of the first mu: a correlation this small at mu = 0 is 0 */

/* ---- The factor ---- */

void lnt_walk_solve(const lnt_walk *walk, double *x)
{
    lnt_mat R = lnt_block(walk->R, 0, 0, walk->k, walk->k);
    lnt_trsv(x, LNT_T, R);
    lnt_trsv(x, LNT_N, R);
}

void lnt_walk_scatter(const lnt_walk *walk, double *x, const double *values)
{
    memset(x, 0, (size_t)walk->X.rows * sizeof *x);
    for (int p = 0; p < walk->k; p++)
        x[walk->feature[p]] = values[p];
}

/* Column j of X X^T. */
static void gram_column(const lnt_walk *walk, double *g, int j)
{
    if (walk->G.rows > 0) {
        memcpy(g, lnt_at(walk->G, 0, j), (size_t)walk->X.rows * sizeof *g);
        return;
    }
    for (int i = 0; i < walk->X.cols; i++)
        walk->r[i] = *lnt_at(walk->X, j, i);
    lnt_gemv(g, 1, LNT_N, walk->X, walk->r, 0);
}

static void add(lnt_walk *walk, int j)
{
    int k = walk->k;
    walk->state[j] = DEPENDENT;
    if (k == walk->most)
        return;
    double *g = lnt_at(walk->active, 0, k), *column = lnt_at(walk->R, 0, k), square = 0, inner = 0;
    gram_column(walk, g, j);
    for (int p = 0; p < k; p++)
        column[p] = g[walk->feature[p]];
    lnt_trsv(column, LNT_T, lnt_block(walk->R, 0, 0, k, k));
    double sign = walk->c[j] < 0 ? -1 : 1;
    for (int p = 0; p < k; p++) {
        square += column[p] * column[p];
        inner += column[p] * walk->z[p];
    }
    if (!(g[j] - square > DEPENDENCE * g[j]))
        return;
    column[k] = sqrt(g[j] - square);
    walk->state[j] = IN;
    walk->feature[k] = j;
    walk->slot[k] = k;
    walk->w[k] = 0;
    walk->s[k] = sign;
    walk->z[k] = (sign - inner) / column[k];
    walk->k = k + 1;
}

/* Row p of R turns with each one below, so that the columns behind p become triangular again. */
static void rotate(lnt_mat R, int p, int k)
{
    for (int col = p; col + 1 < k; col++)
        memcpy(lnt_at(R, 0, col), lnt_at(R, 0, col + 1), (size_t)(col + 2) * sizeof(double));
    for (int i = p; i + 1 < k; i++) {
        double x = *lnt_at(R, i, i), y = *lnt_at(R, i + 1, i), size = hypot(x, y), cos = x / size, sin = y / size;
        for (int col = i; col + 1 < k; col++) {
            double *e = lnt_at(R, i, col), upper = e[0];
            e[0] = cos * upper + sin * e[1];
            e[1] = cos * e[1] - sin * upper;
        }
    }
}

static void drop(lnt_walk *walk, int p)
{
    int k = walk->k, last = 0, freed = walk->slot[p];
    walk->state[walk->feature[p]] = OUT;
    for (int q = 0; q < k; q++)
        last = walk->slot[q] == k - 1 ? q : last;
    if (freed != k - 1)
        memcpy(lnt_at(walk->active, 0, freed), lnt_at(walk->active, 0, k - 1), (size_t)walk->X.rows * sizeof(double));
    walk->slot[last] = freed;
    rotate(walk->R, p, k);
    for (int q = p; q + 1 < k; q++) {
        walk->feature[q] = walk->feature[q + 1];
        walk->slot[q] = walk->slot[q + 1];
        walk->w[q] = walk->w[q + 1];
        walk->s[q] = walk->s[q + 1];
    }
    walk->k = k - 1;
    walk->drops++;
    memcpy(walk->z, walk->s, (size_t)walk->k * sizeof *walk->z);
    lnt_trsv(walk->z, LNT_T, lnt_block(walk->R, 0, 0, walk->k, walk->k));
    for (int j = 0; j < walk->X.rows; j++) /* they may have become independent */
        if (walk->state[j] == DEPENDENT)
            walk->state[j] = OUT;
}

/* x (D) <- X X_A^T d. */
static void image(lnt_walk *walk, double *x, const double *d)
{
    for (int p = 0; p < walk->k; p++)
        walk->sum[walk->slot[p]] = d[p];
    lnt_gemv(x, 1, LNT_N, lnt_columns(walk->active, 0, walk->k), walk->sum, 0);
}

static void direct(lnt_walk *walk)
{
    memcpy(walk->d, walk->z, (size_t)walk->k * sizeof *walk->d);
    lnt_trsv(walk->d, LNT_N, lnt_block(walk->R, 0, 0, walk->k, walk->k));
    image(walk, walk->a, walk->d);
}

/* ---- Knots ---- */

static bool tied(const lnt_walk *walk, int j)
{
    return fabs(walk->c[j]) >= walk->mu - walk->tie;
}

/* The feature of least index that is on the wrong side at this knot: tied and about to outgrow mu, or of coefficient 0
 * and about to get the wrong sign. -1: none. */
static int misplaced(const lnt_walk *walk, bool *leaves)
{
    int least = -1;
    for (int p = 0; p < walk->k; p++)
        if (walk->w[p] == 0 && walk->s[p] * walk->d[p] < 0 && (least < 0 || walk->feature[p] < least))
            least = walk->feature[p];
    *leaves = least >= 0;
    for (int j = 0; j < (least < 0 ? walk->X.rows : least); j++)
        if (walk->state[j] == OUT && tied(walk, j) && copysign(walk->a[j], walk->a[j] * walk->c[j]) < 1 - SLACK) {
            *leaves = false;
            return j;
        }
    return least;
}

static int position(const lnt_walk *walk, int j)
{
    int p = 0;
    while (walk->feature[p] != j)
        p++;
    return p;
}

/* Enters or drops what is waiting, and then, of features that are tied at this knot, one after another until none is
 * misplaced: least-index principal pivoting, which ends where the tied columns are independent (Murty 1974). */
static bool settle(lnt_walk *walk)
{
    int j = walk->waiting, limit = 50 + 4 * walk->X.rows;
    bool leaves = walk->leaves;
    walk->waiting = -1;
    for (int pivots = 0; pivots < limit; pivots++) {
        if (j >= 0 && leaves)
            drop(walk, position(walk, j));
        else if (j >= 0)
            add(walk, j);
        direct(walk);
        j = misplaced(walk, &leaves);
        if (j < 0)
            return true;
    }
    return false;
}

/* The active features explain all of y: on the way to mu = 0 all c shrink alike, |c_j| = mu |a_j| <= mu, and none
 * reaches mu before 0, whatever rounding says. */
static bool closing(const lnt_walk *walk)
{
    for (int j = 0; j < walk->X.rows; j++)
        if (fabs(walk->c[j] - walk->mu * walk->a[j]) > CLOSED * walk->top)
            return false;
    return true;
}

/* The step to the next knot, at most `longest`. */
static double reach(lnt_walk *walk, double longest)
{
    double step = longest, mu = walk->mu, size = 0;
    bool last = closing(walk);
    for (int j = last ? walk->X.rows : 0; j < walk->X.rows; j++) {
        if (walk->state[j] != OUT)
            continue;
        double c = walk->c[j], a = walk->a[j];
        bool edge = tied(walk, j); /* not misplaced: does not go out on its own side */
        double up = a < 1 && !(edge && c > 0) ? (mu - c) / (1 - a) : longest;
        double down = a > -1 && !(edge && c < 0) ? (mu + c) / (1 + a) : longest;
        double first = fmin(up, down);
        if (first < step) {
            step = first;
            walk->waiting = j;
            walk->leaves = false;
        }
    }
    for (int p = 0; p < walk->k; p++)
        size = fmax(size, fabs(walk->w[p]));
    for (int p = 0; p < walk->k; p++) {
        double goal = walk->s[p] * (walk->w[p] + mu * walk->d[p]), limit = last ? -CLOSED * size : 0;
        bool leaves = walk->s[p] * walk->d[p] < 0 && goal < limit; /* at mu = 0, w may hold zeros */
        double first = leaves ? fmax(0, -walk->w[p] / walk->d[p]) : longest;
        if (first < step) {
            step = first;
            walk->waiting = walk->feature[p];
            walk->leaves = true;
        }
    }
    return fmax(0, step);
}

bool lnt_walk_step(lnt_walk *walk, double end)
{
    if (!settle(walk))
        return false;
    double longest = walk->mu - end, step = reach(walk, longest);
    for (int p = 0; p < walk->k; p++)
        walk->w[p] += step * walk->d[p];
    for (int j = 0; j < walk->X.rows; j++)
        walk->c[j] -= step * walk->a[j];
    walk->mu = step == longest ? end : walk->mu - step;
    for (int p = 0; p < walk->k; p++) {
        walk->c[walk->feature[p]] = walk->mu * walk->s[p];
        if (walk->leaves && walk->feature[p] == walk->waiting)
            walk->w[p] = 0;
    }
    walk->steps++;
    walk->fresh++;
    return true;
}

/* The coefficient that leaves is 0 to the last digits: mu moves a little. */
static void relocate(lnt_walk *walk)
{
    int leaving = position(walk, walk->waiting);
    double step = -walk->w[leaving] / walk->d[leaving];
    if (!(step <= walk->mu))
        return;
    for (int p = 0; p < walk->k; p++)
        walk->w[p] += step * walk->d[p];
    for (int j = 0; j < walk->X.rows; j++)
        walk->c[j] -= step * walk->a[j];
    walk->mu -= step;
    walk->w[leaving] = 0;
}

double lnt_walk_correct(lnt_walk *walk)
{
    double worst = 0, *e = walk->e;
    lnt_walk_scatter(walk, walk->full, walk->w);
    memcpy(walk->r, walk->y, (size_t)walk->X.cols * sizeof *walk->r);
    lnt_gemv(walk->r, -1, LNT_T, walk->X, walk->full, 1);
    lnt_gemv(walk->c, 1, LNT_N, walk->X, walk->r, 0);
    for (int p = 0; p < walk->k; p++) {
        e[p] = walk->c[walk->feature[p]] - walk->mu * walk->s[p];
        worst = fmax(worst, fabs(e[p]));
    }
    for (int j = 0; j < walk->X.rows; j++)
        worst = fmax(worst, walk->state[j] == IN ? 0 : fabs(walk->c[j]) - walk->mu);
    lnt_walk_solve(walk, e);
    image(walk, walk->full, e);
    for (int p = 0; p < walk->k; p++)
        walk->w[p] += e[p];
    for (int j = 0; j < walk->X.rows; j++)
        walk->c[j] -= walk->full[j];
    if (walk->leaves && walk->waiting >= 0)
        relocate(walk);
    for (int p = 0; p < walk->k; p++)
        walk->c[walk->feature[p]] = walk->mu * walk->s[p];
    walk->fresh = 0;
    return walk->top > 0 ? worst / walk->top : 0;
}

/* ---- The start ---- */

static lnt_status allocate(lnt_ctx *ctx, lnt_walk *walk)
{
    size_t D = (size_t)walk->X.rows, n = (size_t)walk->X.cols, most = (size_t)walk->most;
    double *all = lnt_alloc(ctx, 4 * D + 5 * most + n, sizeof *all);
    int *lists = lnt_alloc(ctx, 2 * most, sizeof *lists);
    walk->state = lnt_alloc_zero(ctx, D, 1);
    if (!all || !lists || !walk->state)
        return LNT_ENOMEM;
    walk->c = all;
    walk->a = all + D;
    walk->full = all + 2 * D;
    walk->sum = all + 3 * D;
    walk->w = all + 4 * D;
    walk->s = walk->w + most;
    walk->d = walk->s + most;
    walk->z = walk->d + most;
    walk->e = walk->z + most;
    walk->r = walk->e + most;
    walk->feature = lists;
    walk->slot = lists + most;
    lnt_status status = lnt_mat_alloc(ctx, &walk->active, walk->X.rows, walk->most);
    return status == LNT_OK ? lnt_mat_alloc(ctx, &walk->R, walk->most, walk->most) : status;
}

/* One product for all columns of the Gram matrix costs as much as a twentieth of them one by one. */
static bool gram_pays(const lnt_walk *walk)
{
    double D = walk->X.rows, n = walk->X.cols;
    return D <= 4 * n || (D <= 1024 && D <= 20 * n);
}

lnt_status lnt_walk_start(lnt_ctx *ctx, lnt_walk *walk, lnt_mat X, const double *y, bool whole)
{
    *walk = (lnt_walk){.X = X, .y = y, .most = X.rows < X.cols ? X.rows : X.cols, .waiting = -1};
    lnt_status status = allocate(ctx, walk);
    if (status == LNT_OK && whole && gram_pays(walk))
        status = lnt_mat_alloc(ctx, &walk->G, X.rows, X.rows);
    if (status != LNT_OK)
        return status;
    if (walk->G.rows > 0) {
        lnt_syrk(walk->G, 1, LNT_N, X, 0);
        lnt_symmetrize(walk->G);
    }
    lnt_gemv(walk->c, 1, LNT_N, X, y, 0);
    for (int j = 0; j < X.rows; j++)
        if (fabs(walk->c[j]) > walk->mu) {
            walk->mu = fabs(walk->c[j]);
            walk->waiting = j;
        }
    walk->top = walk->mu;
    walk->tie = TIE * walk->top;
    return LNT_OK;
}
