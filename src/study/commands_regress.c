/* The commands `linnet regress ...`: options, examples, descriptions. */
#include "commands.h"

/* ---- regress recovery ---- */

#define OPTS lnt_recovery_opts
const lnt_option lnt_recovery_options[] = {
    INTEGER("features", features, 0, 2, 10000, "features D"),
    INTEGER("grid", grid, 0, 1, 1000, "cells along each axis, n/D and d/D from 0 to 1"),
    INTEGER("runs", runs, 0, 1, 1000000, "problems in each cell"),
    REAL("tolerance", tolerance, 1e-14, 1, "X", "a vector is recovered with a relative error below this"),
    SEED,
    THREADS,
    END};
#undef OPTS

const char *const lnt_recovery_examples[] = {"linnet regress recovery --features 100 --grid 10 --runs 10",
                                             "linnet regress recovery --features 400 --grid 20 --runs 20 --out r",
                                             "linnet regress recovery --features 200 --csv crossing", NULL};

const char lnt_recovery_description[] =
    "When does a linear regression find a sparse teacher exactly? In every cell of a grid, vectors T of D entries, of "
    "which d are normal and the others 0, are sought from n noiseless samples y = X' T with normal X by basis pursuit, "
    "min |w|_1 subject to X' w = y, the limit of the lasso for a vanishing penalty. Every answer is certified by a "
    "duality gap.\n\n"
    "In the limit of many features all or none are recovered, on either side of the boundary of Donoho and Tanner: n/D "
    "samples suffice for at most d/D = boundary. At finite size half are recovered a fraction of a sample earlier, and "
    "over a transition whose width shrinks as 1/sqrt(D) (table crossing: at_this_size, width). There, `found` is where "
    "half are recovered in the simulation, by maximum likelihood over the column with a normal transition of that "
    "width; its deviations are from the boundary. Columns without both successes and failures have none.\n\n"
    "Cells are centred: n and d are D (i + 1/2)/grid, rounded. More --runs keep the problems of fewer.";

ADAPT(, recovery)
