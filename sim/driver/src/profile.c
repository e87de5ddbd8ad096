/* The models by their words in the scenario. */
#include <string.h>
#include <strings.h>

#include "profile.h"

static const struct profile *const profiles[] = {
    &profile_h100, &profile_h200, &profile_b200, &profile_gb200, &profile_a100,
    &profile_a10g, &profile_l40s, &profile_v100, &profile_t4,
};

#define PROFILE_COUNT (sizeof profiles / sizeof *profiles)

const struct profile *profile_find(const char *word)
{
    for (size_t i = 0; i < PROFILE_COUNT; i++)
        if (!strcasecmp(profiles[i]->word, word))
            return profiles[i];
    return NULL;
}

/* For the message that names the choices. */
const char *profile_words(void)
{
    static char words[16 * PROFILE_COUNT];
    words[0] = 0;
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        strcat(words, i ? ", " : "");
        strcat(words, profiles[i]->word);
    }
    return words;
}
