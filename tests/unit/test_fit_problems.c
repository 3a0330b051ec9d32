/* Classic fitting problems with published solutions: data and certified values of the NIST Statistical Reference
 * Datasets (nonlinear regression), and of More, Garbow and Hillstrom (1981). */
#include "check.h"

#include <complex.h>

typedef double complex number;

#define MOST_WEIGHTS 11
#define MOST_DATA 154

/* Derivatives by a complex step, exact to rounding. */
typedef struct classic {
    const char *name;
    int n, k;
    void (*f)(const number *b, number *out, const double *x, int n);
    const double *x, *y;                     /* y NULL: zeros */
    double start[2][MOST_WEIGHTS];           /* poor, good; the second may be all zero: none */
    double answer[MOST_WEIGHTS], sse, error; /* relative, of the answer; 0: do not compare weights */
} classic;

static int outputs(const double *w, double *out, void *user)
{
    const classic *c = user;
    number b[MOST_WEIGHTS], f[MOST_DATA];
    for (int j = 0; j < c->k; j++)
        b[j] = w[j];
    c->f(b, f, c->x, c->n);
    for (int i = 0; i < c->n; i++)
        out[i] = creal(f[i]);
    return 0;
}

static int jacobian(const double *w, size_t first, size_t last, double *B, size_t ld, void *user)
{
    const classic *c = user;
    number b[MOST_WEIGHTS], f[MOST_DATA];
    for (int j = 0; j < c->k; j++)
        b[j] = w[j];
    for (int j = 0; j < c->k; j++) {
        double h = 1e-100;
        b[j] = w[j] + h * I;
        c->f(b, f, c->x, c->n);
        b[j] = w[j];
        for (size_t i = first; i < last; i++)
            B[(i - first) * ld + (size_t)j] = cimag(f[i]) / h;
    }
    return 0;
}

/* ---- NIST ---- */

static const double misra_x[] = {77.6,  114.9, 141.1, 190.8, 239.9, 289.0, 332.8,
                                 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0};
static const double misra_y[] = {10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02,
                                 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78};

static void saturation(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] * (1 - cexp(-b[1] * x[i]));
}

static const double box_x[] = {1, 2, 3, 5, 7, 10}, box_y[] = {109, 149, 149, 191, 213, 224};

static const double rat42_x[] = {9, 14, 21, 28, 42, 57, 63, 70, 79};
static const double rat42_y[] = {8.930, 10.800, 18.590, 22.330, 39.350, 56.110, 61.730, 64.620, 67.080};

static void rat42(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] / (1 + cexp(b[1] - b[2] * x[i]));
}

static const double rat43_x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const double rat43_y[] = {16.08,  33.83,  65.80,  97.20,  191.55, 326.20, 386.87, 520.53,
                                 590.03, 651.92, 724.93, 699.56, 689.96, 637.56, 717.41};

static void rat43(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] / cpow(1 + cexp(b[1] - b[2] * x[i]), 1 / b[3]);
}

static const double mgh09_x[] = {4, 2, 1, .5, .25, .167, .125, .1, .0833, .0714, .0625};
static const double mgh09_y[] = {.1957, .1947, .1735, .16, .0844, .0627, .0456, .0342, .0323, .0235, .0246};

static void mgh09(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] * (x[i] * x[i] + x[i] * b[1]) / (x[i] * x[i] + x[i] * b[2] + b[3]);
}

static const double bennett_x[] = {
    7.447168,  8.102586,  8.452547,  8.711278,  8.916774,  9.087155,  9.232590,  9.359535,  9.472166,  9.573384,
    9.665293,  9.749461,  9.827092,  9.899128,  9.966321,  10.029280, 10.088510, 10.144430, 10.197380, 10.247670,
    10.295560, 10.341250, 10.384950, 10.426820, 10.467000, 10.505640, 10.542830, 10.578690, 10.613310, 10.646780,
    10.679150, 10.710520, 10.740920, 10.770440, 10.799100, 10.826970, 10.854080, 10.880470, 10.906190, 10.931260,
    10.955720, 10.979590, 11.002910, 11.025700, 11.047980, 11.069770, 11.091100, 11.111980, 11.132440, 11.152480,
    11.172130, 11.191410, 11.210310, 11.228870, 11.247090, 11.264980, 11.282560, 11.299840, 11.316820, 11.333520,
    11.349940, 11.366100, 11.382000, 11.397660, 11.413070, 11.428240, 11.443200, 11.457930, 11.472440, 11.486750,
    11.500860, 11.514770, 11.528490, 11.542020, 11.555380, 11.568550, 11.581560, 11.594420, 11.607121, 11.619640,
    11.632000, 11.644210, 11.656280, 11.668200, 11.679980, 11.691620, 11.703130, 11.714510, 11.725760, 11.736880,
    11.747890, 11.758780, 11.769550, 11.780200, 11.790730, 11.801160, 11.811480, 11.821700, 11.831810, 11.841820,
    11.851730, 11.861550, 11.871270, 11.880890, 11.890420, 11.899870, 11.909220, 11.918490, 11.927680, 11.936780,
    11.945790, 11.954730, 11.963590, 11.972370, 11.981070, 11.989700, 11.998260, 12.006740, 12.015150, 12.023490,
    12.031760, 12.039970, 12.048100, 12.056170, 12.064180, 12.072120, 12.080010, 12.087820, 12.095580, 12.103280,
    12.110920, 12.118500, 12.126030, 12.133500, 12.140910, 12.148270, 12.155570, 12.162830, 12.170030, 12.177170,
    12.184270, 12.191320, 12.198320, 12.205270, 12.212170, 12.219030, 12.225840, 12.232600, 12.239320, 12.245990,
    12.252620, 12.259200, 12.265750, 12.272240};
static const double bennett_y[] = {
    -34.834702, -34.393200, -34.152901, -33.979099, -33.845901, -33.732899, -33.640301, -33.559200, -33.486801,
    -33.423100, -33.365101, -33.313000, -33.260899, -33.217400, -33.176899, -33.139198, -33.101601, -33.066799,
    -33.035000, -33.003101, -32.971298, -32.942299, -32.916302, -32.890202, -32.864101, -32.841000, -32.817799,
    -32.797501, -32.774300, -32.757000, -32.733799, -32.716400, -32.699100, -32.678799, -32.661400, -32.644001,
    -32.626701, -32.612202, -32.597698, -32.583199, -32.568699, -32.554298, -32.539799, -32.525299, -32.510799,
    -32.499199, -32.487598, -32.473202, -32.461601, -32.435501, -32.435501, -32.426800, -32.412300, -32.400799,
    -32.392101, -32.380501, -32.366001, -32.357300, -32.348598, -32.339901, -32.328400, -32.319698, -32.311001,
    -32.299400, -32.290699, -32.282001, -32.273300, -32.264599, -32.256001, -32.247299, -32.238602, -32.229900,
    -32.224098, -32.215401, -32.203800, -32.198002, -32.189400, -32.183601, -32.174900, -32.169102, -32.163300,
    -32.154598, -32.145901, -32.140099, -32.131401, -32.125599, -32.119801, -32.111198, -32.105400, -32.096699,
    -32.090900, -32.088001, -32.079300, -32.073502, -32.067699, -32.061901, -32.056099, -32.050301, -32.044498,
    -32.038799, -32.033001, -32.027199, -32.024300, -32.018501, -32.012699, -32.004002, -32.001099, -31.995300,
    -31.989500, -31.983700, -31.977900, -31.972099, -31.969299, -31.963501, -31.957701, -31.951900, -31.946100,
    -31.940300, -31.937401, -31.931601, -31.925800, -31.922899, -31.917101, -31.911301, -31.908400, -31.902599,
    -31.896900, -31.893999, -31.888201, -31.885300, -31.882401, -31.876600, -31.873699, -31.867901, -31.862101,
    -31.859200, -31.856300, -31.850500, -31.844700, -31.841801, -31.838900, -31.833099, -31.830200, -31.827299,
    -31.821600, -31.818701, -31.812901, -31.809999, -31.807100, -31.801300, -31.798401, -31.795500, -31.789700,
    -31.786800};

static void bennett(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] * cpow(b[1] + x[i], -1 / b[2]);
}

static const double mgh10_x[] = {50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100, 105, 110, 115, 120, 125};
static const double mgh10_y[] = {34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744,
                                 8261,  7030,  6005,  5147,  4427,  3820,  3307,  2872};

static void mgh10(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] * cexp(b[1] / (x[i] + b[2]));
}

static const double mgh17_x[] = {0,   10,  20,  30,  40,  50,  60,  70,  80,  90,  100, 110, 120, 130, 140, 150, 160,
                                 170, 180, 190, 200, 210, 220, 230, 240, 250, 260, 270, 280, 290, 300, 310, 320};
static const double mgh17_y[] = {.844, .908, .932, .936, .925, .908, .881, .850, .818, .784, .751,
                                 .718, .685, .658, .628, .603, .580, .558, .538, .522, .506, .490,
                                 .478, .467, .457, .448, .438, .431, .424, .420, .414, .411, .406};

static void mgh17(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] + b[1] * cexp(-x[i] * b[3]) + b[2] * cexp(-x[i] * b[4]);
}

static const double thurber_x[] = {-3.067, -2.981, -2.921, -2.912, -2.840, -2.797, -2.702, -2.699, -2.633, -2.481,
                                   -2.363, -2.322, -1.501, -1.460, -1.274, -1.212, -1.100, -1.046, -0.915, -0.714,
                                   -0.566, -0.545, -0.400, -0.309, -0.109, -0.103, 0.010,  0.119,  0.377,  0.790,
                                   0.963,  1.006,  1.115,  1.572,  1.841,  2.047,  2.200};
static const double thurber_y[] = {80.574,   84.248,   87.264,   87.195,   89.076,   89.608,   89.868,   90.101,
                                   92.405,   95.854,   100.696,  101.060,  401.672,  390.724,  567.534,  635.316,
                                   733.054,  759.087,  894.206,  990.785,  1090.109, 1080.914, 1122.643, 1178.351,
                                   1260.531, 1273.514, 1288.339, 1327.543, 1353.863, 1414.509, 1425.208, 1421.384,
                                   1442.962, 1464.350, 1468.705, 1447.894, 1457.628};

static void thurber(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] =
            (b[0] + x[i] * (b[1] + x[i] * (b[2] + x[i] * b[3]))) / (1 + x[i] * (b[4] + x[i] * (b[5] + x[i] * b[6])));
}

static const double eckerle_x[] = {400,   405, 410,   415, 420,   425, 430,   435, 436.5, 438, 439.5, 441,
                                   442.5, 444, 445.5, 447, 448.5, 450, 451.5, 453, 454.5, 456, 457.5, 459,
                                   460.5, 462, 463.5, 465, 470,   475, 480,   485, 490,   495, 500};
static const double eckerle_y[] = {.0001575, .0001699, .0002350, .0003102, .0004917, .0008710, .0017418,
                                   .0046400, .0065895, .0097302, .0149002, .0237310, .0401683, .0712559,
                                   .1264458, .2073413, .2902366, .3445623, .3698049, .3668534, .3106727,
                                   .2078154, .1164354, .0616764, .0337200, .0194023, .0117831, .0074357,
                                   .0022732, .0008800, .0004579, .0002345, .0001586, .0001143, .0000710};

static void eckerle(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] / b[1] * cexp(-0.5 * ((x[i] - b[2]) / b[1]) * ((x[i] - b[2]) / b[1]));
}

static const double danwood_x[] = {1.309, 1.471, 1.490, 1.565, 1.611, 1.680};
static const double danwood_y[] = {2.138, 3.421, 3.597, 4.340, 4.882, 5.660};

static void danwood(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] * cpow(x[i], b[1]);
}

/* Lanczos: three exponentials that hardly anything tells from two; here without rounding. */
static double lanczos_x[24], lanczos_y[24];

static void lanczos(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = b[0] * cexp(-b[1] * x[i]) + b[2] * cexp(-b[3] * x[i]) + b[4] * cexp(-b[5] * x[i]);
}

/* ---- More, Garbow and Hillstrom ---- */

/* Four overlapping peaks. */
static double osborne_x[65];
static const double osborne_y[] = {1.366, 1.191, 1.112, 1.013, .991, .885, .831, .847, .786, .725, .746, .679, .608,
                                   .655,  .616,  .606,  .602,  .626, .651, .724, .649, .649, .694, .644, .624, .661,
                                   .612,  .558,  .533,  .495,  .500, .423, .395, .375, .372, .391, .396, .405, .428,
                                   .429,  .523,  .562,  .607,  .653, .672, .708, .633, .668, .645, .632, .591, .559,
                                   .597,  .625,  .739,  .710,  .729, .720, .636, .581, .428, .292, .162, .098, .054};

static void osborne(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++) {
        out[i] = b[0] * cexp(-x[i] * b[4]);
        for (int j = 0; j < 3; j++)
            out[i] += b[1 + j] * cexp(-(x[i] - b[8 + j]) * (x[i] - b[8 + j]) * b[5 + j]);
    }
}

static void rosenbrock(const number *b, number *out, const double *x, int n)
{
    (void)x, (void)n;
    out[0] = 10 * (b[1] - b[0] * b[0]);
    out[1] = 1 - b[0];
}

static void powell_singular(const number *b, number *out, const double *x, int n)
{
    (void)x, (void)n;
    out[0] = b[0] + 10 * b[1];
    out[1] = sqrt(5) * (b[2] - b[3]);
    out[2] = (b[1] - 2 * b[2]) * (b[1] - 2 * b[2]);
    out[3] = sqrt(10) * (b[0] - b[3]) * (b[0] - b[3]);
}

static void brown_badly_scaled(const number *b, number *out, const double *x, int n)
{
    (void)x, (void)n;
    out[0] = b[0] - 1e6;
    out[1] = b[1] - 2e-6;
    out[2] = b[0] * b[1] - 2;
}

static void freudenstein_roth(const number *b, number *out, const double *x, int n)
{
    (void)x, (void)n;
    out[0] = -13 + b[0] + ((5 - b[1]) * b[1] - 2) * b[1];
    out[1] = -29 + b[0] + ((b[1] + 1) * b[1] - 14) * b[1];
}

static void jennrich_sampson(const number *b, number *out, const double *x, int n)
{
    (void)x;
    for (int i = 1; i <= n; i++)
        out[i - 1] = 2 + 2 * i - (cexp(i * b[0]) + cexp(i * b[1]));
}

static const double bard_x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const double bard_y[] = {.14, .18, .22, .25, .29, .32, .35, .39, .37, .58, .73, .96, 1.34, 2.10, 4.39};

static void bard(const number *b, number *out, const double *x, int n)
{
    for (int i = 0; i < n; i++) {
        double u = x[i], v = 16 - u, m = fmin(u, v);
        out[i] = b[0] + u / (v * b[1] + m * b[2]);
    }
}

static void box3(const number *b, number *out, const double *x, int n)
{
    (void)x;
    for (int i = 1; i <= n; i++) {
        double t = 0.1 * i;
        out[i - 1] = cexp(-t * b[0]) - cexp(-t * b[1]) - b[2] * (exp(-t) - exp(-10 * t));
    }
}

static void wood(const number *b, number *out, const double *x, int n)
{
    (void)x, (void)n;
    out[0] = 10 * (b[1] - b[0] * b[0]);
    out[1] = 1 - b[0];
    out[2] = sqrt(90) * (b[3] - b[2] * b[2]);
    out[3] = 1 - b[2];
    out[4] = sqrt(10) * (b[1] + b[3] - 2);
    out[5] = (b[1] - b[3]) / sqrt(10);
}

static void beale(const number *b, number *out, const double *x, int n)
{
    static const double y[] = {1.5, 2.25, 2.625};
    (void)x;
    number power = 1;
    for (int i = 0; i < n; i++) {
        power *= b[1];
        out[i] = y[i] - b[0] * (1 - power);
    }
}

static classic classics[] = {
    {"Misra1a",
     14,
     2,
     saturation,
     misra_x,
     misra_y,
     {{500, 1e-4}, {250, 5e-4}},
     {238.94212918, 5.5015643181e-4},
     .12455138894,
     1e-7},
    {"BoxBOD", 6, 2, saturation, box_x, box_y, {{1, 1}, {100, .75}}, {213.80940889, .54723748542}, 1168.0088766, 1e-7},
    {"Rat42",
     9,
     3,
     rat42,
     rat42_x,
     rat42_y,
     {{100, 1, .1}, {75, 2.5, .07}},
     {72.462237576, 2.6180768402, .067359200066},
     8.0565229338,
     1e-7},
    {"Rat43",
     15,
     4,
     rat43,
     rat43_x,
     rat43_y,
     {{100, 10, 1, 1}, {700, 5, .75, 1.3}},
     {699.64151270, 5.2771253025, .75962938329, 1.2792483859},
     8786.4049080,
     1e-7},
    {"MGH09",
     11,
     4,
     mgh09,
     mgh09_x,
     mgh09_y,
     {{25, 39, 41.5, 39}, {.25, .39, .415, .39}},
     {.19280693458, .19128232873, .12305650693, .13606233068},
     3.0750560385e-4,
     1e-7},
    {"MGH10",
     16,
     3,
     mgh10,
     mgh10_x,
     mgh10_y,
     {{2, 4e5, 25000}, {.02, 4000, 250}},
     {5.6096364710e-3, 6181.3463463, 345.22363462},
     87.945855171,
     1e-7},
    {"Bennett5",
     154,
     3,
     bennett,
     bennett_x,
     bennett_y,
     {{-2000, 50, .8}, {-1500, 45, .85}},
     {-2523.5058043, 46.736564644, .93218483193},
     5.2404744073e-4,
     1e-5}, /* its weights trade against each other: the columns of B, scaled, have condition 1e5 */
    {"MGH17",
     33,
     5,
     mgh17,
     mgh17_x,
     mgh17_y,
     {{50, 150, -100, 1, 2}, {.5, 1.5, -1, .01, .02}},
     {.37541005211, 1.9358469127, -1.4646871366, .012867534640, .022122699662},
     5.4648946975e-5,
     1e-7},
    {"Thurber",
     37,
     7,
     thurber,
     thurber_x,
     thurber_y,
     {{1000, 1000, 400, 40, .7, .3, .03}, {1300, 1500, 500, 75, 1, .4, .05}},
     {1288.1396800, 1491.0792535, 583.23836877, 75.416644291, .96629502864, .39797285797, .049727297349},
     5642.7082397,
     1e-7},
    {"Eckerle4",
     35,
     3,
     eckerle,
     eckerle_x,
     eckerle_y,
     {{1, 10, 500}, {1.5, 5, 450}},
     {1.5543827178, 4.0888321754, 451.54121844},
     1.4635887487e-3,
     1e-7},
    {"DanWood",
     6,
     2,
     danwood,
     danwood_x,
     danwood_y,
     {{1, 5}, {.7, 4}},
     {.76886226176, 3.8604055871},
     4.3173084083e-3,
     1e-7},
    {"Lanczos1",
     24,
     6,
     lanczos,
     lanczos_x,
     lanczos_y,
     {{1.2, .3, 5.6, 5.5, 6.5, 7.6}, {.5, .7, 3.6, 4.2, 4, 6.3}},
     {.0951, 1, .8607, 3, 1.5576, 5},
     0,
     1e-6},
    {"Rosenbrock", 2, 2, rosenbrock, NULL, NULL, {{-1.2, 1}, {-12, 10}}, {1, 1}, 0, 1e-12},
    {"Powell singular", 4, 4, powell_singular, NULL, NULL, {{3, -1, 0, 1}, {30, -10, 0, 10}}, {0}, 0, 0},
    {"Brown badly scaled", 3, 2, brown_badly_scaled, NULL, NULL, {{1, 1}, {10, 10}}, {1e6, 2e-6}, 0, 1e-7},
    {"Freudenstein and Roth",
     2,
     2,
     freudenstein_roth,
     NULL,
     NULL,
     {{0.5, -2}, {0}},
     {11.41278, -.89680525},
     48.9842536792,
     1e-6},
    {"Jennrich and Sampson",
     10,
     2,
     jennrich_sampson,
     NULL,
     NULL,
     {{.3, .4}, {0}},
     {.2578252137, .2578252137},
     124.362182356,
     1e-6},
    {"Bard",
     15,
     3,
     bard,
     bard_x,
     bard_y,
     {{1, 1, 1}, {0}},
     {.08241056, 1.13303609, 2.34369518},
     8.21487730657e-3,
     1e-7},
    {"Box three-dimensional", 10, 3, box3, NULL, NULL, {{0, 10, 20}, {0}}, {1, 10, 1}, 0, 0},
    {"Osborne 2",
     65,
     11,
     osborne,
     osborne_x,
     osborne_y,
     {{1.3, .65, .65, .7, .6, 3, 5, 7, 2, 4.5, 5.5}, {0}},
     {1.3099770, .43155379, .63366169, .59943053, .75418321, .90428853, 1.3658118, 4.8236988, 2.3986848, 4.5688746,
      5.6753414},
     4.01377362935e-2,
     1e-6},
    {"Wood", 6, 4, wood, NULL, NULL, {{-3, -1, -3, -1}, {0}}, {1, 1, 1, 1}, 0, 1e-10},
    {"Beale", 3, 2, beale, NULL, NULL, {{1, 1}, {0}}, {3, .5}, 0, 1e-10},
};

#define CLASSICS (int)(sizeof classics / sizeof *classics)

static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < 65; i++)
        osborne_x[i] = i / 10.0;
    for (int i = 0; i < 24; i++) {
        double x = 0.05 * i;
        lanczos_x[i] = x;
        lanczos_y[i] = .0951 * exp(-x) + .8607 * exp(-3 * x) + 1.5576 * exp(-5 * x);
    }
    return 0;
}

static void check_solved(const classic *c, const double *w, const lnt_fit_info *info, const char *how)
{
    double worst = 0;
    for (int j = 0; j < c->k && c->error > 0; j++)
        worst = fmax(worst, fabs(w[j] - c->answer[j]) / fabs(c->answer[j]));
    if (!(info->sse <= c->sse * (1 + 1e-9) + 1e-14 && worst <= c->error))
        fail_msg("%s %s: sse %.12g, not %.12g, weights off by %.2g; stop %s, cosine %.2g after %d steps", c->name, how,
                 info->sse, c->sse, worst, lnt_fit_stop_name(info->stop), info->cosine, info->steps);
}

static lnt_model model_of(classic *c)
{
    return (lnt_model){.n = (size_t)c->n, .k = (size_t)c->k, .user = c, .f = outputs, .jacobian = jacobian};
}

static lnt_fit_info fit(lnt_ctx *ctx, classic *c, double *w, const double *start, const lnt_fit_opts *opts,
                        const lnt_model *model)
{
    static const double zeros[MOST_DATA];
    lnt_fit_info info;
    lnt_fit_problem problem = {.model = model, .d = c->y ? c->y : zeros};
    memcpy(w, start, (size_t)c->k * sizeof *w);
    check_status(ctx, lnt_fit(ctx, w, &info, &problem, opts), LNT_OK);
    return info;
}

static lnt_fit_opts options(void)
{
    lnt_fit_opts opts;
    lnt_fit_defaults(&opts);
    return opts;
}

static bool has_start(const classic *c, int which)
{
    for (int j = 0; j < c->k; j++)
        if (c->start[which][j] != 0)
            return true;
    return false;
}

static void published_solutions_are_found(void **state)
{
    static const lnt_fit_solver solvers[] = {LNT_SOLVER_QR, LNT_SOLVER_SVD};
    lnt_ctx *ctx = *state;
    for (int i = 0; i < CLASSICS; i++)
        for (int which = 0; which < 2; which++)
            for (int s = 0; s < 2 && has_start(&classics[i], which); s++) {
                double w[MOST_WEIGHTS];
                lnt_fit_opts opts = options();
                lnt_model model = model_of(&classics[i]);
                opts.solver = solvers[s];
                lnt_fit_info info = fit(ctx, &classics[i], w, classics[i].start[which], &opts, &model);
                check_solved(&classics[i], w, &info, which ? "from the nearer start" : "from the farther start");
                int most = classics[i].f == mgh10 ? 900 : 250; /* its farther start lies at the end of a long valley */
                if (!(info.stop <= LNT_FIT_ZERO && info.steps < most))
                    fail_msg("%s: %s after %d steps", classics[i].name, lnt_fit_stop_name(info.stop), info.steps);
            }
}

/* Six digits of the weights remain where the Jacobian is made of differences. */
static void differences_do(void **state)
{
    lnt_ctx *ctx = *state;
    for (int i = 0; i < 10; i++) {
        classic c = classics[i];
        double w[MOST_WEIGHTS];
        lnt_fit_opts opts = options();
        lnt_model model = {.n = (size_t)c.n, .k = (size_t)c.k, .user = &c, .f = outputs};
        if (c.f == mgh10 || c.f == saturation) /* weights of 1e-3 and less: beyond the differences' step */
            continue;
        c.error = 1e-5;
        lnt_fit_info info = fit(ctx, &c, w, c.start[1], &opts, &model);
        check_solved(&c, w, &info, "by differences");
    }
}

/* Certified standard errors of Misra1a and Thurber. */
static void standard_errors_are_the_certified_ones(void **state)
{
    static const double misra[] = {2.7070075241, 7.2668688436e-6};
    static const double of_thurber[] = {4.6647963344,    39.571156086,    28.698696102,   5.5675370270,
                                        3.1333340687e-2, 1.4984928198e-2, 6.5842344623e-3};
    lnt_ctx *ctx = *state;
    for (int problem_of = 0; problem_of < 2; problem_of++) {
        classic *c = &classics[problem_of ? 8 : 0];
        const double *certified = problem_of ? of_thurber : misra;
        double w[MOST_WEIGHTS], V[MOST_WEIGHTS * MOST_WEIGHTS];
        lnt_fit_opts opts = options();
        lnt_model model = model_of(c);
        lnt_fit_problem problem = {.model = &model, .d = c->y};
        lnt_fit_certificate certificate;
        fit(ctx, c, w, c->start[1], &opts, &model);
        check_status(ctx, lnt_fit_certify(ctx, &certificate, lnt_mat_view(V, c->k, c->k), true, &problem, w), LNT_OK);
        for (int j = 0; j < c->k; j++)
            check_near(sqrt(certificate.variance * V[j * (c->k + 1)]) / certified[j], 1, 1e-8, c->name);
        assert_true(certificate.rank == c->k && certificate.offset < 1e-6 && certificate.least_curvature > -1e-3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(published_solutions_are_found), WITH_CTX(differences_do),
                                       WITH_CTX(standard_errors_are_the_certified_ones)};
    return cmocka_run_group_tests(tests, fill, NULL);
}
