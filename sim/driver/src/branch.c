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
const struct branch branch = {580, "580.95.05", 13000};
#else
#error "SIM_BRANCH names no branch"
#endif
