#include "experiment.h"

const lnt_experiment lnt_experiments[] = {
    {"notebook-digits", "The notebook, on digits",
     "A two-layer linear network is trained on whitened digit images by minibatch descent. Does it learn the "
     "input-output "
     "covariance, as the notebook says? As it was written, with the same first tenth of the rows in every epoch; as it "
     "is "
     "right, with all rows in a new order; and by full-batch descent down to the fixed point.",
     NULL, lnt_notebook_experiment},
    {"notebook-mnist", "The notebook, on MNIST",
     "The same on the notebook's own data: 70,000 images of 28 x 28 pixels, 100 whitened components, a 100-10-10 "
     "network.",
     "mnist", lnt_notebook_experiment},
    {0}};
