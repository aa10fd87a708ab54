/* A scenario file → one answer at a time: what the simulated driver says about one reading of one GPU.
 *
 * The grammar, one statement a line:
 *
 *   # words                              a comment, to the end of the line
 *   NAME[.ARG] = VALUE [VALUE2]          what the NVML call NAME answers: numbers in NVML's own units, or text
 *   NAME[.ARG] = ramp A B SECONDS        a number that goes from A to B in so long, then stays
 *   NAME[.ARG] = error CODE              the NVML return code it gives instead of an answer
 *     … per_second RATE                  after a VALUE: it grows by RATE each second
 *     … wait SECONDS                     after any: the call blocks first (a hung driver: `wait 600`)
 *     … write PATH                       after any: it writes to this file first (on a frozen file system: frozen.py)
 *     … after SECONDS, … until SECONDS   after any: the line is there only then; its growth starts with it
 *   * = error CODE | wait … | write …    every call about a GPU (without `error` the answers stay)
 *   process = compute|graphics PID BYTES one line a process
 *   [gpu N]   [every gpu]                the lines below hold for GPU N only; for all again
 *   sys/… proc/… root/… tools/… kmsg … fill …   files, kernel records, a full disk: statements.py, skipped here
 *
 * Time starts when the file was written (its mtime); a time to come is the start itself. $NVML_SCENARIO_AGE, in
 * seconds, stops it there, so that two runs give the same.
 * ARG is the integer that the call takes (clock type, sensor, field id). A field of nvmlDeviceGetFieldValues is named
 * `field.ID`. A later line replaces an earlier one; a line for one GPU beats a line for all; NAME.ARG beats NAME.
 * What is not named answers 3, NVML_ERROR_NOT_SUPPORTED. A symbol that is not there at all is not a matter of the
 * scenario but of the build (`make ABSENT=…`), as with a real driver.
 *
 * The file is $NVML_SCENARIO, or DEFAULT_SCENARIO where that is not set. It is read again when it changes: replace it
 * by rename, so that no call sees half a file. Without a file there is no driver (code 9).
 */
#ifndef SCENARIO_H
#define SCENARIO_H

enum { EVERY_GPU = -1, NO_ARGUMENT = -1, MOST_PROCESSES = 32 };
enum {
    OK = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    VERSION_MISMATCH = 25,
};

struct answer {
    int code;             /* an NVML return code; the rest means something only when it is OK */
    double value, second; /* the first two numbers of the line; a double is exact up to 2^53 */
    char text[96];        /* the same, as written */
};

struct process {
    unsigned pid;
    unsigned long long bytes;
};

/* What `name` answers about `gpu` (EVERY_GPU for calls about the system). Blocks when the scenario says so. */
int scenario_ask(int gpu, const char *name, long argument, struct answer *answer);

/* The processes of `kind` on `gpu`; returns how many were written to `found`. */
unsigned scenario_processes(int gpu, const char *kind, struct process found[MOST_PROCESSES]);

#endif
