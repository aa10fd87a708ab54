/* The structures of NVIDIA's nvml.h, branch 580, that the simulator fills, under short names.
 *
 * Clients read them by offset, so their sizes are asserted. The versioned ones begin with a word that the caller sets:
 * version number << 24 | size.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdint.h>

#include "scenario.h"

struct pci {
    char legacy_id[16];
    unsigned domain, bus, device, pci_id, subsystem_id;
    char bus_id[32]; /* the third version only */
};
_Static_assert(sizeof(struct pci) == 68, "nvmlPciInfo_t");

struct memory { unsigned long long total, free, used; };
struct memory_v2 { unsigned version; unsigned long long total, reserved, free, used; };
struct utilization { unsigned gpu, memory; };
struct temperature { unsigned version, sensor; int celsius; };
struct margin { unsigned version; int celsius; };
struct addressing { unsigned version, mode; };
_Static_assert(sizeof(struct memory_v2) == 40, "nvmlMemory_v2_t");

struct field {
    uint32_t id, scope;
    int64_t timestamp_us, latency_us;
    unsigned type, code;
    union { unsigned u32; unsigned long long u64; int i32; } value;
};
_Static_assert(sizeof(struct field) == 40, "nvmlFieldValue_t");
enum { TYPE_UINT = 1, TYPE_ULONGLONG = 3, TYPE_INT = 5 }; /* nvmlValueType_t */
enum { ENERGY = 83 };

/* 16 bytes a process (struct process) in the first version of the calls, 24 in the second and third */
struct process_wide { unsigned pid; unsigned long long bytes; unsigned gpu_instance, compute_instance; };
_Static_assert(sizeof(struct process_wide) == 24 && sizeof(struct process) == 16, "nvmlProcessInfo_t");

#endif
