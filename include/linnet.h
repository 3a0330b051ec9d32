/* All of linnet's public headers; each is the manual of its module. */
#ifndef LINNET_H
#define LINNET_H

#include "linnet/builtin.h"
#include "linnet/ctx.h"
#include "linnet/data.h"
#include "linnet/figure.h"
#include "linnet/flow.h"
#include "linnet/layered.h"
#include "linnet/lasso_risk.h"
#include "linnet/learn.h"
#include "linnet/linalg.h"
#include "linnet/mat.h"
#include "linnet/modes.h"
#include "linnet/net.h"
#include "linnet/option.h"
#include "linnet/parallel.h"
#include "linnet/record.h"
#include "linnet/report.h"
#include "linnet/response.h"
#include "linnet/rng.h"
#include "linnet/spectrum.h"
#include "linnet/status.h"
#include "linnet/store.h"
#include "linnet/study.h"
#include "linnet/task.h"
#include "linnet/text.h"
#include "linnet/theory.h"
#include "linnet/version.h"

#endif
