/* libnvidia-ml.so.1, simulated: the NVML calls that give data, each answered from the scenario (scenario.h).
 *
 * Every other symbol of the real library (symbols.txt) is made by the Makefile as a weak function that answers
 * NVML_ERROR_NOT_SUPPORTED; a function of the same name here replaces it.
 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "layout.h"
#include "scenario.h"
#include "settings.h"

enum { MOST_GPUS = 8 };
typedef struct gpu *device;

static struct gpu gpus[MOST_GPUS] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};
static int users; /* nvmlInit less nvmlShutdown */
static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;

static int ask(int gpu, const char *name, long argument, struct answer *answer) {
    pthread_mutex_lock(&users_lock);
    int ready = users > 0;
    pthread_mutex_unlock(&users_lock);
    return ready ? scenario_ask(gpu, name, argument, answer) : UNINITIALIZED;
}

/* ---- start and end ---- */
int nvmlInitWithFlags(unsigned flags) {
    struct answer answer;
    (void)flags;
    int code = scenario_ask(EVERY_GPU, "nvmlInit", NO_ARGUMENT, &answer);
    if (code != OK && code != NOT_SUPPORTED) return code; /* not named: it simply works */
    pthread_mutex_lock(&users_lock);
    users++;
    pthread_mutex_unlock(&users_lock);
    return OK;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlInit(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) {
    pthread_mutex_lock(&users_lock);
    int code = users > 0 ? OK : UNINITIALIZED;
    if (code == OK) users--;
    pthread_mutex_unlock(&users_lock);
    return code;
}
const char *nvmlErrorString(int code) {
    static const char *const words[VERSION_MISMATCH + 1] = {
        [OK] = "Success", [UNINITIALIZED] = "Uninitialized", [INVALID_ARGUMENT] = "Invalid Argument",
        [NOT_SUPPORTED] = "Not Supported", [NOT_FOUND] = "Not Found", [INSUFFICIENT_SIZE] = "Insufficient Size",
        [DRIVER_NOT_LOADED] = "Driver Not Loaded", [15] = "GPU is lost",
        [VERSION_MISMATCH] = "Argument version mismatch"};
    return code >= 0 && code <= VERSION_MISMATCH && words[code] ? words[code] : "Unknown Error";
}

/* ---- calls that have one of a few shapes ---- */
static int is_bad(device gpu, const void *out) { return gpu < gpus || gpu >= gpus + MOST_GPUS || !out; }
static int copy_text(const struct answer *answer, char *out, unsigned size) {
    if (strlen(answer->text) >= size) return INSUFFICIENT_SIZE;
    strcpy(out, answer->text);
    return OK;
}
/* Leaves `answer` filled, or returns the code from the function that uses it. */
#define ASK(name, argument)                    \
    struct answer answer;                      \
    if (is_bad(gpu, out)) return INVALID_ARGUMENT; \
    int code = ask(gpu->index, name, argument, &answer); \
    if (code != OK) return code
#define SYSTEM_TEXT(name)                                           \
    int name(char *out, unsigned size) {                            \
        struct answer answer;                                       \
        int code = ask(EVERY_GPU, #name, NO_ARGUMENT, &answer);     \
        return code != OK ? code : copy_text(&answer, out, size);   \
    }
#define SYSTEM_INT(name)                                            \
    int name(int *out) {                                            \
        struct answer answer;                                       \
        int code = ask(EVERY_GPU, #name, NO_ARGUMENT, &answer);     \
        if (code == OK) *out = (int)answer.value;                   \
        return code;                                                \
    }
#define TEXT(name)                                                  \
    int name(device gpu, char *out, unsigned size) {                \
        ASK(#name, NO_ARGUMENT);                                    \
        return copy_text(&answer, out, size);                       \
    }
#define NUMBER(name, type)                                          \
    int name(device gpu, type *out) {                               \
        ASK(#name, NO_ARGUMENT);                                    \
        *out = (type)llround(answer.value);                         \
        return OK;                                                  \
    }
#define UINT(name) NUMBER(name, unsigned)
#define U64(name) NUMBER(name, unsigned long long)
#define UINT_OF(name)                                               \
    int name(device gpu, int which, unsigned *out) {                \
        ASK(#name, which);                                          \
        *out = (unsigned)llround(answer.value);                     \
        return OK;                                                  \
    }
SYSTEM_TEXT(nvmlSystemGetDriverVersion)
SYSTEM_TEXT(nvmlSystemGetNVMLVersion)
SYSTEM_INT(nvmlSystemGetCudaDriverVersion)
SYSTEM_INT(nvmlSystemGetCudaDriverVersion_v2)
TEXT(nvmlDeviceGetName)
TEXT(nvmlDeviceGetUUID)
UINT(nvmlDeviceGetMinorNumber)
UINT(nvmlDeviceGetBrand)
UINT(nvmlDeviceGetPowerUsage)
UINT(nvmlDeviceGetPerformanceState)
UINT(nvmlDeviceGetMemoryBusWidth)
UINT(nvmlDeviceGetComputeMode)
UINT(nvmlDeviceGetDisplayActive)
UINT(nvmlDeviceIsMigDeviceHandle)
UINT(nvmlDeviceGetCurrPcieLinkGeneration)
UINT(nvmlDeviceGetMaxPcieLinkGeneration)
UINT(nvmlDeviceGetCurrPcieLinkWidth)
UINT(nvmlDeviceGetMaxPcieLinkWidth)
UINT_OF(nvmlDeviceGetTemperature)
UINT_OF(nvmlDeviceGetMaxClockInfo)
UINT_OF(nvmlDeviceGetApplicationsClock)
U64(nvmlDeviceGetTotalEnergyConsumption)
U64(nvmlDeviceGetCurrentClocksEventReasons)
U64(nvmlDeviceGetSupportedClocksEventReasons)
int nvmlDeviceGetCudaComputeCapability(device gpu, int *out, int *minor) {
    ASK("nvmlDeviceGetCudaComputeCapability", NO_ARGUMENT);
    *out = (int)answer.value;
    *minor = (int)answer.second;
    return OK;
}
/* what was set beats the scenario */
int nvmlDeviceGetPersistenceMode(device gpu, unsigned *out) {
    ASK("nvmlDeviceGetPersistenceMode", NO_ARGUMENT);
    int set = setting_of(gpu->index, "persistence");
    *out = set == NOT_SET ? (unsigned)answer.value : (unsigned)set;
    return OK;
}
int nvmlDeviceGetClockInfo(device gpu, int which, unsigned *out) {
    ASK("nvmlDeviceGetClockInfo", which);
    *out = (unsigned)llround(fmin(answer.value, clock_limit(gpu->index, which)));
    return OK;
}
/* the names that the two had before */
int nvmlDeviceGetCurrentClocksThrottleReasons(device gpu, unsigned long long *out) {
    return nvmlDeviceGetCurrentClocksEventReasons(gpu, out);
}
int nvmlDeviceGetSupportedClocksThrottleReasons(device gpu, unsigned long long *out) {
    return nvmlDeviceGetSupportedClocksEventReasons(gpu, out);
}

/* ---- which GPU ---- */
int nvmlDeviceGetCount_v2(unsigned *out) {
    struct answer answer;
    if (!out) return INVALID_ARGUMENT;
    int code = ask(EVERY_GPU, "nvmlDeviceGetCount_v2", NO_ARGUMENT, &answer);
    if (code == OK) *out = answer.value < MOST_GPUS ? (unsigned)answer.value : MOST_GPUS;
    return code;
}
int nvmlDeviceGetCount(unsigned *out) { return nvmlDeviceGetCount_v2(out); }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *out) {
    struct answer answer;
    unsigned count;
    int code = nvmlDeviceGetCount_v2(&count);
    if (code != OK) return code;
    if (index >= count || !out) return INVALID_ARGUMENT;
    code = ask((int)index, "nvmlDeviceGetHandleByIndex_v2", NO_ARGUMENT, &answer);
    if (code != OK && code != NOT_SUPPORTED) return code; /* not named: it simply works */
    *out = &gpus[index];
    return OK;
}
int nvmlDeviceGetHandleByIndex(unsigned index, device *out) { return nvmlDeviceGetHandleByIndex_v2(index, out); }
int nvmlDeviceGetIndex(device gpu, unsigned *out) {
    if (is_bad(gpu, out)) return INVALID_ARGUMENT;
    *out = (unsigned)gpu->index;
    return OK;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, device *out) {
    struct answer answer;
    unsigned count;
    int code = nvmlDeviceGetCount_v2(&count);
    if (code != OK || !uuid || !out) return code != OK ? code : INVALID_ARGUMENT;
    for (unsigned i = 0; i < count; i++) {
        if (ask((int)i, "nvmlDeviceGetUUID", NO_ARGUMENT, &answer) != OK || strcmp(uuid, answer.text)) continue;
        *out = &gpus[i];
        return OK;
    }
    return NOT_FOUND;
}

int nvmlDeviceGetPciInfo_v3(device gpu, struct pci *out) {
    ASK("nvmlDeviceGetPciInfo_v3", NO_ARGUMENT);
    struct pci pci = {0};
    const char *form = "%x:%x:%x.%*x %x %x";
    int read = sscanf(answer.text, form, &pci.domain, &pci.bus, &pci.device, &pci.pci_id, &pci.subsystem_id);
    if (read < 3) return NOT_FOUND;
    unsigned domain = pci.domain & 0xffff, bus = pci.bus & 0xff, slot = pci.device & 0xff;
    snprintf(pci.legacy_id, sizeof pci.legacy_id, "%04X:%02X:%02X.0", domain, bus, slot);
    snprintf(pci.bus_id, sizeof pci.bus_id, "%08X:%02X:%02X.0", pci.domain, pci.bus, pci.device);
    *out = pci;
    return OK;
}

/* ---- calls that fill a structure; the versioned ones refuse a version word that is not theirs ---- */
#define VERSION(number)                                                        \
    if (is_bad(gpu, out)) return INVALID_ARGUMENT;                             \
    if (out->version != ((number##u) << 24 | sizeof *out)) return VERSION_MISMATCH

int nvmlDeviceGetMemoryInfo(device gpu, struct memory *out) {
    ASK("nvmlDeviceGetMemoryInfo", NO_ARGUMENT);
    *out = (struct memory){.total = answer.value, .used = answer.second, .free = answer.value - answer.second};
    return OK;
}
int nvmlDeviceGetMemoryInfo_v2(device gpu, struct memory_v2 *out) {
    VERSION(2);
    ASK("nvmlDeviceGetMemoryInfo", NO_ARGUMENT);
    out->total = answer.value, out->used = answer.second, out->free = answer.value - answer.second, out->reserved = 0;
    return OK;
}
int nvmlDeviceGetUtilizationRates(device gpu, struct utilization *out) {
    ASK("nvmlDeviceGetUtilizationRates", NO_ARGUMENT);
    *out = (struct utilization){.gpu = answer.value, .memory = answer.second};
    return OK;
}
int nvmlDeviceGetTemperatureV(device gpu, struct temperature *out) {
    VERSION(1);
    ASK("nvmlDeviceGetTemperature", out->sensor);
    out->celsius = (int)answer.value;
    return OK;
}
int nvmlDeviceGetMarginTemperature(device gpu, struct margin *out) {
    VERSION(1);
    ASK("nvmlDeviceGetMarginTemperature", NO_ARGUMENT);
    out->celsius = (int)answer.value;
    return OK;
}
int nvmlDeviceGetAddressingMode(device gpu, struct addressing *out) {
    VERSION(1);
    ASK("nvmlDeviceGetAddressingMode", NO_ARGUMENT);
    out->mode = (unsigned)answer.value;
    return OK;
}

/* ---- field values: one call, a code and a type for each field ---- */

static void fill_field(int gpu, struct field *field) {
    struct answer answer;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    field->timestamp_us = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
    field->latency_us = 1;
    if (field->id == ENERGY) /* the field and the call are one reading */
        field->code = ask(gpu, "nvmlDeviceGetTotalEnergyConsumption", NO_ARGUMENT, &answer);
    else
        field->code = ask(gpu, "field", field->id, &answer);
    if (field->code != OK) return;
    int is_counter = (field->id >= 74 && field->id <= ENERGY) || (field->id >= 269 && field->id <= 271);
    int is_margin = field->id >= 193 && field->id <= 196; /* the T.Limit family is signed */
    field->type = is_counter ? TYPE_ULONGLONG : is_margin ? TYPE_INT : TYPE_UINT;
    field->value.u64 = 0;
    if (is_counter) field->value.u64 = (unsigned long long)answer.value;
    else if (is_margin) field->value.i32 = (int)answer.value;
    else field->value.u32 = (unsigned)llround(answer.value);
}
int nvmlDeviceGetFieldValues(device gpu, int count, struct field *out) {
    struct answer answer;
    if (is_bad(gpu, out) || count <= 0) return INVALID_ARGUMENT;
    int code = ask(gpu->index, "nvmlDeviceGetFieldValues", NO_ARGUMENT, &answer);
    if (code != OK && code != NOT_SUPPORTED) return code; /* not named: each field answers for itself */
    for (int i = 0; i < count; i++) fill_field(gpu->index, &out[i]);
    return OK;
}

/* ---- processes: 16 bytes each in the first version of the call, 24 in the second and third ---- */

static int processes(device gpu, const char *name, const char *kind, unsigned *count, void *out, int is_wide) {
    struct process found[MOST_PROCESSES];
    struct answer answer;
    if (is_bad(gpu, count)) return INVALID_ARGUMENT;
    int code = ask(gpu->index, name, NO_ARGUMENT, &answer);
    if (code != OK && code != NOT_SUPPORTED) return code; /* not named: the list of the scenario, maybe empty */
    unsigned room = *count;
    *count = scenario_processes(gpu->index, kind, found);
    if (*count > room || (*count && !out)) return INSUFFICIENT_SIZE; /* the caller learns how much room it needs */
    for (unsigned i = 0; i < *count; i++) {
        if (is_wide) ((struct process_wide *)out)[i] = (struct process_wide){found[i].pid, found[i].bytes, ~0u, ~0u};
        else ((struct process *)out)[i] = found[i];
    }
    return OK;
}
#define PROCESSES(name, kind)                                                                                       \
    int name(device gpu, unsigned *count, void *out) { return processes(gpu, #name, kind, count, out, 0); }         \
    int name##_v2(device gpu, unsigned *count, void *out) { return processes(gpu, #name, kind, count, out, 1); }    \
    int name##_v3(device gpu, unsigned *count, void *out) { return processes(gpu, #name, kind, count, out, 1); }
PROCESSES(nvmlDeviceGetComputeRunningProcesses, "compute")
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, "graphics")

/* ---- what the weak functions of the Makefile answer ---- */
int simulated_default(const char *name) {
    struct answer answer;
    int code = ask(0, name, NO_ARGUMENT, &answer);
    return code == OK ? NOT_SUPPORTED : code; /* a VALUE for a call that has no body here would go unwritten */
}
