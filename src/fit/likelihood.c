#include "bayes.h"

#include <math.h>

#define LOG_2PI 1.83787706640934548356

static double softplus(double z)
{
    return fmax(z, 0) + log1p(exp(-fabs(z)));
}

static double logistic(double z)
{
    double e = exp(-fabs(z));
    return (z >= 0 ? 1 : e) / (1 + e);
}

static double share_term(double share, double loss)
{
    return share > 0 ? share * loss : 0; /* 0 * infinity is no loss */
}

static double gaussian_log(const lnt_likelihood *l, const double *f)
{
    double sse = 0, logs = 0;
    for (size_t i = 0; i < l->n; i++) {
        double v = l->sqrtw ? l->sqrtw[i] : 1, r = v * (l->d[i] - f[i]);
        sse += r * r;
        logs += l->sqrtw ? log(v) : 0;
    }
    return 0.5 * (double)l->n * (log(l->beta) - LOG_2PI) + logs - 0.5 * l->beta * sse;
}

static double bernoulli_log(const lnt_likelihood *l, const double *f)
{
    double sum = 0;
    for (size_t i = 0; i < l->n; i++)
        sum -= share_term(1 - l->d[i], softplus(f[i])) + share_term(l->d[i], softplus(-f[i]));
    return sum;
}

/* log sum_{j != c} e^{z_j - z_c}. */
static double log_odds_against(const double *z, int q, int c)
{
    double most = -INFINITY, sum = 0;
    for (int j = 0; j < q; j++)
        most = j != c && z[j] > most ? z[j] : most;
    for (int j = 0; j < q; j++)
        sum += j != c ? exp(z[j] - most) : 0;
    return most - z[c] + log(sum);
}

static double categorical_log(const lnt_likelihood *l, const double *f)
{
    double sum = 0;
    for (size_t i = 0; i < l->n; i += (size_t)l->classes)
        for (int c = 0; c < l->classes; c++)
            if (l->d[i + (size_t)c] > 0)
                sum -= l->d[i + (size_t)c] * softplus(log_odds_against(f + i, l->classes, c));
    return sum;
}

double lnt_log_likelihood(const lnt_likelihood *l, const double *f)
{
    return l->kind == LNT_GAUSSIAN    ? gaussian_log(l, f)
           : l->kind == LNT_BERNOULLI ? bernoulli_log(l, f)
                                      : categorical_log(l, f);
}

/* d - p = d (1 - p) - (1 - d) p, of which neither part cancels. */
static double surprise(double share, double against)
{
    return share * logistic(against) - (1 - share) * logistic(-against);
}

/* p_c as 1 minus what speaks against it would lose small ones: all from one sum around the largest logit. */
static void categorical_gradient(double *g, int q, const double *z, const double *d)
{
    int top = lnt_largest(z, q);
    double most = z[top], others = 0;
    for (int j = 0; j < q; j++) {
        g[j] = exp(z[j] - most); /* z may be g */
        others += j != top ? g[j] : 0;
    }
    double sum = 1 + others;
    for (int j = 0; j < q; j++) {
        double p = g[j] / sum, rest = j == top ? others / sum : 1 - p;
        g[j] = d[j] * rest - (1 - d[j]) * p;
    }
}

void lnt_likelihood_gradient(double *g, const lnt_likelihood *l, const double *f)
{
    if (l->kind == LNT_CATEGORICAL) {
        for (size_t i = 0; i < l->n; i += (size_t)l->classes)
            categorical_gradient(g + i, l->classes, f + i, l->d + i);
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        double v = l->sqrtw ? l->sqrtw[i] : 1;
        g[i] = l->kind == LNT_GAUSSIAN ? l->beta * v * v * (l->d[i] - f[i]) : surprise(l->d[i], -f[i]);
    }
}

/* x_j <- sqrt(p_j) (x_j - sum_i p_i x_i) over the columns of one sample. Differences from the likeliest come first:
 * they are what counts where its p is near 1. */
static void whiten_sample(lnt_mat X, const double *z)
{
    int q = X.cols, top = lnt_largest(z, q);
    double sum = 0;
    lnt_mat rest = lnt_columns(X, top, 1);
    for (int j = 0; j < q; j++) {
        sum += exp(z[j] - z[top]);
        if (j != top)
            lnt_mat_add(lnt_columns(X, j, 1), -1, rest);
    }
    lnt_mat_fill(rest, 0);
    for (int j = 0; j < q; j++)
        if (j != top)
            lnt_mat_add(rest, -exp(z[j] - z[top]) / sum, lnt_columns(X, j, 1));
    for (int j = 0; j < q; j++)
        if (j != top)
            lnt_mat_add(lnt_columns(X, j, 1), 1, rest);
    for (int j = 0; j < q; j++)
        lnt_mat_scale(lnt_columns(X, j, 1), sqrt(exp(z[j] - z[top]) / sum));
}

void lnt_likelihood_whiten(lnt_mat X, const lnt_likelihood *l, const double *f, size_t first)
{
    if (l->kind == LNT_CATEGORICAL) {
        for (int j = 0; j < X.cols; j += l->classes)
            whiten_sample(lnt_columns(X, j, l->classes), f + first + j);
        return;
    }
    for (int j = 0; j < X.cols; j++) {
        double z = f[first + (size_t)j], e = exp(-fabs(z) / 2);
        double gaussian = sqrt(l->beta) * (l->sqrtw ? l->sqrtw[first + (size_t)j] : 1);
        lnt_mat_scale(lnt_columns(X, j, 1), l->kind == LNT_GAUSSIAN ? gaussian : e / (1 + e * e));
    }
}

/* (L y)_j = sqrt(p_j) y_j - p_j sum_i sqrt(p_i) y_i, whose sum is 0 for y = L' x. */
static void lift_sample(double *y, const double *z, int q)
{
    double most = z[lnt_largest(z, q)], sum = 0;
    for (int j = 0; j < q; j++)
        sum += exp(z[j] - most);
    for (int j = 0; j < q; j++)
        y[j] *= sqrt(exp(z[j] - most) / sum);
}

void lnt_likelihood_lift(double *y, const lnt_likelihood *l, const double *f)
{
    if (l->kind != LNT_CATEGORICAL) /* L is diagonal */
        lnt_likelihood_whiten((lnt_mat){y, 1, (int)l->n, 1}, l, f, 0);
    else
        for (size_t i = 0; i < l->n; i += (size_t)l->classes)
            lift_sample(y + i, f + i, l->classes);
}
