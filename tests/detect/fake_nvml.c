/* A stand-in for libnvidia-ml.so.1 that answers as the variable FAKE_NVML says, so that the real
 * pynvml runs on a machine without a GPU. Names and layouts: NVML API reference. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct {
  char legacy[16]; unsigned domain, bus, device, pciDeviceId, pciSubSystemId; char busId[32];
} pci;

static int is(const char *what) {
  const char *set = getenv("FAKE_NVML");
  return set && strcmp(set, what) == 0;
}

static char slots[4];  /* device handles are addresses in here: 0 and 1 GPUs, 2 and 3 slices */

int nvmlInitWithFlags(unsigned f) {
  if (is("hang")) for (;;) pause();
  if (is("crash")) abort();
  if (is("not-loaded")) return 9;
  if (is("mismatch")) return 18;
  if (is("denied")) return 4;
  return 0;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { strncpy(s, "570.86", n); return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = is("none") ? 0 : is("unified") ? 1 : 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, char **h) { *h = slots + i; return 0; }
int nvmlDeviceGetUUID(char *h, char *s, unsigned n) {
  strncpy(s, h >= slots + 2 ? "MIG-0000000x-1111" : "GPU-0000000x-1111", n);
  s[11] = '0' + (h - slots);
  return 0;
}
int nvmlDeviceGetName(char *h, char *s, unsigned n) {
  strncpy(s, is("unified") ? "NVIDIA GB10" : "NVIDIA RTX 6000 Ada", n);
  return 0;
}
int nvmlDeviceGetPciInfo_v3(char *h, pci *p) {
  memset(p, 0, sizeof *p);
  strcpy(p->busId, "00000000:0x:00.0");
  p->busId[10] = '1' + (h - slots) % 2;
  return 0;
}
int nvmlDeviceGetCudaComputeCapability(char *h, int *a, int *b) { *a = 8; *b = 9; return 0; }
int nvmlDeviceGetMemoryInfo(char *h, memory_v1 *m) {
  if (is("unified")) return 3;
  if (is("lost") && h == slots) return 15;
  m->total = 48ull << 30; m->free = 47ull << 30; m->used = 1ull << 30;
  return 0;
}
int nvmlDeviceGetMemoryInfo_v2(char *h, memory_v2 *m) {
  if (is("old")) return 12 + 1;  /* FunctionNotFound */
  if (is("unified")) return 3;
  if (is("lost") && h == slots) return 15;
  m->total = 48ull << 30; m->free = 46ull << 30; m->used = 1ull << 30; m->reserved = 1ull << 30;
  return 0;
}
int nvmlDeviceGetMigMode(char *h, unsigned *now, unsigned *next) {
  if (!is("mig")) return 3;
  *now = *next = h == slots;
  return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(char *h, unsigned *n) { *n = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(char *h, unsigned i, char **out) {
  if (i != 0 && i != 3) return 6;  /* NotFound: an empty place */
  *out = slots + (i ? 3 : 2);
  return 0;
}
