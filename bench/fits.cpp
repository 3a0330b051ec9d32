// Ceres or cminpack on the problems of bench/fits.py: prints seconds, mean objective, megabytes.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sys/resource.h>
#include <vector>
#ifdef CERES
#include <ceres/ceres.h>
#else
#include <cminpack.h>
#endif

struct Problem {
    int d, H, n, k;
    double weight, root; // 1/sigma, sqrt(alpha)
    const double *X, *y;

    // Residuals (n + k) and, unless NULL, their Jacobian, by rows or by columns.
    void evaluate(const double *w, double *r, double *J, bool by_rows) const
    {
        int m = n + k;
        const double *b = w + H * d, *v = b + H;
        std::vector<double> h(H);
        auto at = [&](int i, int j) -> double & { return J[by_rows ? (size_t)i * k + j : (size_t)j * m + i]; };
        if (J)
            memset(J, 0, sizeof(double) * m * k);
        for (int i = 0; i < n; i++) {
            const double *x = X + (size_t)i * d;
            double f = w[k - 1];
            for (int u = 0; u < H; u++) {
                double a = b[u];
                for (int j = 0; j < d; j++)
                    a += w[u * d + j] * x[j];
                h[u] = tanh(a);
                f += v[u] * h[u];
            }
            if (r)
                r[i] = (f - y[i]) * weight;
            for (int u = 0; J && u < H; u++) {
                double g = (1 - h[u] * h[u]) * v[u] * weight;
                for (int j = 0; j < d; j++)
                    at(i, u * d + j) = g * x[j];
                at(i, H * d + u) = g;
                at(i, H * d + H + u) = h[u] * weight;
            }
            if (J)
                at(i, k - 1) = weight;
        }
        for (int j = 0; j < k; j++) {
            if (r)
                r[n + j] = root * w[j];
            if (J)
                at(n + j, j) = root;
        }
    }
};

#ifdef CERES
struct Cost : ceres::CostFunction {
    const Problem *p;
    explicit Cost(const Problem *problem) : p(problem)
    {
        set_num_residuals(p->n + p->k);
        mutable_parameter_block_sizes()->push_back(p->k);
    }
    bool Evaluate(double const *const *w, double *r, double **J) const override
    {
        p->evaluate(w[0], r, J && J[0] ? J[0] : nullptr, true);
        return true;
    }
};

static void solve(const Problem &p, std::vector<double> &w)
{
    ceres::Problem problem;
    problem.AddResidualBlock(new Cost(&p), nullptr, w.data());
    ceres::Solver::Options o;
    o.linear_solver_type = ceres::DENSE_NORMAL_CHOLESKY;
    o.dense_linear_algebra_library_type = ceres::LAPACK;
    o.max_num_iterations = p.k > 300 ? 200 : 1000; // of the large one what a minute allows
    o.function_tolerance = o.gradient_tolerance = o.parameter_tolerance = 1e-8;
    o.logging_type = ceres::SILENT;
    o.num_threads = 1;
    ceres::Solver::Summary summary;
    ceres::Solve(o, &problem, &summary);
}
#else
static int callback(void *p, int, int, const double *w, double *r, double *J, int, int flag)
{
    ((const Problem *)p)->evaluate(w, flag == 1 ? r : nullptr, flag == 2 ? J : nullptr, false);
    return 0;
}

static void solve(const Problem &p, std::vector<double> &w)
{
    int m = p.n + p.k, k = p.k, nf, nj;
    std::vector<double> r(m), J((size_t)m * k), diag(k), qtf(k), a(k), b(k), c(k), e(m);
    std::vector<int> order(k);
    lmder(callback, (void *)&p, m, k, w.data(), r.data(), J.data(), m, 1e-8, 1e-8, 1e-8, 1000, diag.data(), 1, 100., 0,
          &nf, &nj, order.data(), qtf.data(), a.data(), b.data(), c.data(), e.data());
}
#endif

int main(int, char **argv)
{
    double head[6], seconds = 0, cost = 0;
    FILE *file = fopen(argv[1], "rb");
    if (!file || fread(head, sizeof *head, 6, file) != 6)
        return 1;
#ifdef CERES
    google::InitGoogleLogging(argv[0]);
#endif
    int count = (int)head[5];
    for (int s = 0; s < count; s++) {
        Problem p{(int)head[0], (int)head[1], (int)head[2], 0, 1 / head[3], std::sqrt(head[4]), nullptr, nullptr};
        p.k = p.H * (p.d + 2) + 1;
        std::vector<double> X((size_t)p.n * p.d), y(p.n), w(p.k), r(p.n + p.k);
        if (fread(X.data(), 8, X.size(), file) + fread(y.data(), 8, y.size(), file) +
                fread(w.data(), 8, w.size(), file) !=
            X.size() + y.size() + w.size())
            return 1;
        p.X = X.data();
        p.y = y.data();
        auto start = std::chrono::steady_clock::now();
        solve(p, w);
        seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        p.evaluate(w.data(), r.data(), nullptr, true);
        for (double x : r)
            cost += x * x / 2 / count;
    }
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.6f %.9g %.0f\n", seconds, cost, usage.ru_maxrss / 1024.);
}
