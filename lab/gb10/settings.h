/* What somebody sets on the simulated driver → kept as a real one keeps it: until it is unloaded, or the machine starts.
 *
 * One file a setting below $NVML_SETTINGS, or /run/gb10-driver, which a boot empties: gpu0.locked_mhz, gpu0.persistence.
 * To unload the driver is to remove that folder.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

struct gpu {
    int index;
};

enum { NOT_SET = -1, NO_PERMISSION = 4 };

/* What was set, or NOT_SET. */
int setting_of(int gpu, const char *name);

/* The highest clock that the locked range leaves, in MHz: 2000 gave 1989 on a GB10 (scenarios/clock-cap.txt). */
double clock_limit(int gpu, int clock_type);

#endif
