/* Compiled once per driver branch, with SIM_BRANCH=number; all other files are
 * the same in every variant. */
#include "sim.h"

#if SIM_BRANCH == 470
const struct branch branch = {470, "470.256.02", 11040};
#elif SIM_BRANCH == 535
const struct branch branch = {535, "535.261.03", 12020};
#elif SIM_BRANCH == 550
const struct branch branch = {550, "550.163.01", 12040};
#elif SIM_BRANCH == 570
const struct branch branch = {570, "570.172.08", 12080};
#elif SIM_BRANCH == 580
const struct branch branch = {580, "580.173.02", 13000};
#elif SIM_BRANCH == 590
const struct branch branch = {590, "590.48.01", 13010};
#elif SIM_BRANCH == 610
const struct branch branch = {610, "610.43.02", 13030};
#elif SIM_BRANCH == 615
const struct branch branch = {615, "615.00", 13040}; /* the header's own; no release of it is known here */
#else
#error "SIM_BRANCH names no branch"
#endif
