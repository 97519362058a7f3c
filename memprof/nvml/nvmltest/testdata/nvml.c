// A stand-in for libnvidia-ml.so.1, for tests: known answers, and on demand any
// error of any function. Prototypes and structures follow the NVML API Reference
// Guide, API version 13; the C compiler lays them out.
//
// FAKE_NVML holds what is otherwise than usual, separated by semicolons:
//   count=N           GPUs (2)
//   NAME=CODE         the function NAME returns CODE
//   stride=16|24|32   size of one process entry (24)
//   processes=N       programs on each GPU (2)
//   mig=1             GPU 1 is divided; its part stands at place 2
//   swap=1            GPU 1 has the lower PCI bus number
//   twins=1           both UUIDs begin alike
//   peak=BYTES        memory in use goes up to BYTES above 1 GiB and down again
//   boost=MHZ         the SM clock rises by MHZ each reading, and falls back after three
//   reasons=BITS      what holds the clocks back (4)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int ret;
typedef struct device { int index; int part; } *nvmlDevice_t;

typedef struct { u64 total, free, used; } nvmlMemory_t;
typedef struct { u32 version; u64 total, reserved, free, used; } nvmlMemory_v2_t;
typedef struct { u32 pid; u64 usedGpuMemory; } process_v1;
typedef struct { u32 pid; u64 usedGpuMemory; u32 gpuInstanceId, computeInstanceId; } process_v2;
typedef struct { u32 pid; u64 usedGpuMemory; u32 gpuInstanceId, computeInstanceId; u64 usedGpuCcProtectedMemory; } process_535;
typedef struct { u32 version; int sensorType; int temperature; } nvmlTemperature_t;
typedef struct { u32 gpu, memory; } nvmlUtilization_t;
typedef struct {
  char busIdLegacy[16];
  u32 domain, bus, device, pciDeviceId, pciSubSystemId;
  char busId[32];
} nvmlPciInfo_t;
#define STRUCT_VERSION(type, n) ((u32)(sizeof(type) | ((n) << 24)))

static struct device boards[8], part = {1, 1};
static int started;

static u64 option(const char *key, u64 usual) {
  const char *s = getenv("FAKE_NVML");
  size_t n = strlen(key);
  while (s && *s) {
    if (!strncmp(s, key, n) && s[n] == '=') return strtoull(s + n + 1, NULL, 0);
    s = strchr(s, ';');
    if (s) s++;
  }
  return usual;
}

#define FAULT do { ret r_ = (ret)option(__func__, 0); if (r_) return r_; if (!started) return 1; } while (0)

EXPORT ret nvmlInit_v2(void) {
  ret r = (ret)option("nvmlInit_v2", 0);
  if (r) return r;
  started++;
  for (int i = 0; i < 8; i++) boards[i].index = i;
  return 0;
}
EXPORT ret nvmlShutdown(void) { FAULT; started--; return 0; }
EXPORT ret nvmlSystemGetDriverVersion(char *v, u32 n) { FAULT; return snprintf(v, n, "570.86.15") >= (int)n ? 7 : 0; }
EXPORT ret nvmlSystemGetCudaDriverVersion_v2(int *v) { FAULT; *v = 12080; return 0; }
EXPORT ret nvmlDeviceGetCount_v2(u32 *n) { FAULT; *n = (u32)option("count", 2); return 0; }
EXPORT ret nvmlDeviceGetHandleByIndex_v2(u32 i, nvmlDevice_t *d) {
  FAULT;
  if (i >= option("count", 2)) return 2;
  if (i == option("refused", 99)) return 4;
  *d = &boards[i];
  return 0;
}

static void uuidOf(nvmlDevice_t d, char *s, u32 n) {
  if (d->part) snprintf(s, n, "MIG-0c0ffee0-5a5a-5a5a-5a5a-00000000000%d", d->index);
  else if (option("twins", 0)) snprintf(s, n, "GPU-0badcafe-0000-4000-8000-00000000000%d", d->index);
  else snprintf(s, n, "GPU-%dbadcafe-0000-4000-8000-000000000000", d->index);
}
EXPORT ret nvmlDeviceGetUUID(nvmlDevice_t d, char *s, u32 n) { FAULT; if (n < 80) return 7; uuidOf(d, s, n); return 0; }
EXPORT ret nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *d) {
  FAULT;
  char s[96];
  uuidOf(&part, s, sizeof s);
  if (!strcmp(s, uuid)) { *d = &part; return 0; }
  for (u32 i = 0; i < option("count", 2); i++) {
    uuidOf(&boards[i], s, sizeof s);
    if (!strcmp(s, uuid)) { *d = &boards[i]; return 0; }
  }
  return 6;
}
EXPORT ret nvmlDeviceGetName(nvmlDevice_t d, char *s, u32 n) {
  FAULT;
  snprintf(s, n, d->part ? "NVIDIA Fake 80GB MIG 1g.10gb" : "NVIDIA Fake 80GB");
  return 0;
}
EXPORT ret nvmlDeviceGetPciInfo_v3(nvmlDevice_t d, nvmlPciInfo_t *p) {
  FAULT;
  memset(p, 0xEE, sizeof *p);
  p->domain = 0x10000u;
  p->bus = (u32)(option("swap", 0) ? 0xf0 - d->index : 0x1a + d->index);
  p->device = 3;
  snprintf(p->busIdLegacy, sizeof p->busIdLegacy, "0000:%02x:%02x.0", p->bus, p->device);
  snprintf(p->busId, sizeof p->busId, "%08x:%02x:%02x.0", p->domain, p->bus, p->device);
  return 0;
}

// Memory in use goes up in 16 steps, one each reading, and down again.
static u64 used(nvmlDevice_t d) {
  static int readings;
  u64 base = (1ull << 30) + (u64)d->index * 4096 + (u64)d->part * 512;
  u64 peak = option("peak", 0);
  if (!peak) return base;
  int at = readings++ % 32;
  return base + peak / 16 * (u64)(at <= 16 ? at : 32 - at);
}
EXPORT ret nvmlDeviceGetMemoryInfo(nvmlDevice_t d, nvmlMemory_t *m) {
  FAULT;
  m->total = 80ull << 30; m->used = used(d) + 1234; m->free = m->total - m->used;
  return 0;
}
EXPORT ret nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t d, nvmlMemory_v2_t *m) {
  FAULT;
  if (m->version != STRUCT_VERSION(nvmlMemory_v2_t, 2)) return 25;
  m->total = 80ull << 30; m->reserved = 1234; m->used = used(d); m->free = m->total - m->used - m->reserved;
  return 0;
}

static ret processes(u32 *n, void *infos, size_t stride) {
  u32 room = *n;
  *n = (u32)option("processes", 2);
  if (room < *n) return 7;
  for (u32 i = 0; i < *n; i++) {
    process_535 p;
    memset(&p, 0, sizeof p);
    p.pid = 4100 + i;
    p.usedGpuMemory = i ? (u64)i << 20 : ~0ull;
    p.gpuInstanceId = p.computeInstanceId = 0xFFFFFFFFu;
    memcpy((char *)infos + i * stride, &p, stride);
  }
  return 0;
}
_Static_assert(sizeof(process_v1) == 16 && sizeof(process_v2) == 24 && sizeof(process_535) == 32, "nvml.h on 64-bit systems");
EXPORT ret nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t d, u32 *n, void *infos) {
  FAULT;
  return processes(n, infos, option("stride", sizeof(process_v2)));
}
EXPORT ret nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t d, u32 *n, void *infos) { FAULT; return processes(n, infos, sizeof(process_v2)); }
EXPORT ret nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t d, u32 *n, void *infos) { FAULT; return processes(n, infos, sizeof(process_v1)); }

// What a part of a GPU does not have of its own is not supported on its handle.
#define BOARD if (d->part) return 3
EXPORT ret nvmlDeviceGetClockInfo(nvmlDevice_t d, u32 domain, u32 *mhz) {
  FAULT; BOARD;
  static u32 readings;
  *mhz = domain == 1 ? 1500 + (u32)option("boost", 0) * (readings++ % 4) : domain == 2 ? 2600 : 0;
  return 0;
}
EXPORT ret nvmlDeviceGetMaxClockInfo(nvmlDevice_t d, u32 domain, u32 *mhz) { FAULT; BOARD; *mhz = domain == 1 ? 1980 : domain == 2 ? 2619 : 0; return 0; }
EXPORT ret nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t d, u64 *bits) { FAULT; BOARD; *bits = option("reasons", 4); return 0; }
#ifndef OLD
EXPORT ret nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t d, u64 *bits) { FAULT; BOARD; *bits = option("reasons", 4); return 0; }
EXPORT ret nvmlDeviceGetTemperatureV(nvmlDevice_t d, nvmlTemperature_t *t) {
  FAULT; BOARD;
  if (t->version != STRUCT_VERSION(nvmlTemperature_t, 1)) return 25;
  if (t->sensorType != 0) return 2;
  t->temperature = 61 + d->index;
  return 0;
}
#endif
EXPORT ret nvmlDeviceGetTemperature(nvmlDevice_t d, u32 sensor, u32 *t) { FAULT; BOARD; if (sensor) return 2; *t = 61 + (u32)d->index; return 0; }
EXPORT ret nvmlDeviceGetPowerUsage(nvmlDevice_t d, u32 *mw) { FAULT; BOARD; *mw = 345678; return 0; }
EXPORT ret nvmlDeviceGetUtilizationRates(nvmlDevice_t d, nvmlUtilization_t *u) { FAULT; BOARD; u->gpu = 97; u->memory = 43; return 0; }
EXPORT ret nvmlDeviceGetComputeMode(nvmlDevice_t d, u32 *mode) { FAULT; BOARD; *mode = (u32)option("compute", 0); return 0; }
EXPORT ret nvmlDeviceGetPersistenceMode(nvmlDevice_t d, u32 *on) { FAULT; BOARD; *on = (u32)option("persistence", 1); return 0; }
EXPORT ret nvmlDeviceGetMigMode(nvmlDevice_t d, u32 *current, u32 *pending) {
  FAULT; BOARD;
  if (d->index != 1) return 3;
  *current = *pending = (u32)option("mig", 0);
  return 0;
}
EXPORT ret nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t d, u32 *n) { FAULT; *n = 7; return 0; }
EXPORT ret nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t d, u32 i, nvmlDevice_t *mig) {
  FAULT;
  if (d->index != 1 || i != 2) return 6;
  *mig = &part;
  return 0;
}
EXPORT ret nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t mig, nvmlDevice_t *d) { FAULT; if (!mig->part) return 2; *d = &boards[mig->index]; return 0; }

// The sizes and offsets that the binding relies on, for the test that compares.
EXPORT u32 fakeLayout(u32 which) {
  switch (which) {
  case 0: return sizeof(nvmlMemory_t);
  case 1: return sizeof(nvmlMemory_v2_t);
  case 2: return __builtin_offsetof(nvmlMemory_v2_t, total);
  case 3: return __builtin_offsetof(nvmlMemory_v2_t, used);
  case 4: return sizeof(nvmlPciInfo_t);
  case 5: return __builtin_offsetof(nvmlPciInfo_t, domain);
  case 6: return __builtin_offsetof(nvmlPciInfo_t, device);
  case 7: return sizeof(nvmlTemperature_t);
  case 8: return __builtin_offsetof(nvmlTemperature_t, temperature);
  case 9: return sizeof(nvmlUtilization_t);
  case 10: return STRUCT_VERSION(nvmlMemory_v2_t, 2);
  case 11: return STRUCT_VERSION(nvmlTemperature_t, 1);
  case 12: return __builtin_offsetof(process_v2, usedGpuMemory);
  case 13: return __builtin_offsetof(nvmlMemory_t, used);
  }
  return 0;
}
