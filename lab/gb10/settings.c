/* The settings of the simulated driver (settings.h), and the NVML calls that make them. */
#define _GNU_SOURCE
#include "settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "scenario.h"

enum { MEMORY = 2, BELOW_THE_CAP_MHZ = 11 }; /* nvmlClockType_t */

static const char *folder(void) {
    const char *set = getenv("NVML_SETTINGS");
    return set ? set : "/run/gb10-driver";
}

static FILE *opened(int gpu, const char *name, const char *how) {
    char path[256];
    snprintf(path, sizeof path, "%s/gpu%d.%s", folder(), gpu, name);
    return fopen(path, how);
}

int setting_of(int gpu, const char *name) {
    int value = NOT_SET;
    FILE *file = opened(gpu, name, "r");
    if (!file) return NOT_SET;
    if (fscanf(file, "%d", &value) != 1) value = NOT_SET;
    fclose(file);
    return value;
}

double clock_limit(int gpu, int clock_type) {
    int locked = clock_type == MEMORY ? NOT_SET : setting_of(gpu, "locked_mhz");
    return locked == NOT_SET ? HUGE_VAL : locked - BELOW_THE_CAP_MHZ;
}

static int set(const struct gpu *gpu, const char *name, int value) {
    if (!gpu) return INVALID_ARGUMENT;
    mkdir(folder(), 0755);
    FILE *file = opened(gpu->index, name, "w");
    if (!file) return NO_PERMISSION;
    fprintf(file, "%d\n", value);
    return fclose(file) ? NO_PERMISSION : OK;
}

int nvmlDeviceSetPersistenceMode(struct gpu *gpu, unsigned mode) { return set(gpu, "persistence", mode != 0); }
int nvmlDeviceSetGpuLockedClocks(struct gpu *gpu, unsigned least, unsigned most) {
    return least > most ? INVALID_ARGUMENT : set(gpu, "locked_mhz", (int)most);
}
int nvmlDeviceResetGpuLockedClocks(struct gpu *gpu) { return set(gpu, "locked_mhz", NOT_SET); }
