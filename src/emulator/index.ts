export type { CapturedRequest } from "./capture.js";
export { createEmulator, type Emulator, type EmulatorOptions } from "./emulator.js";
export type { Fault, FaultPredicate, Faults } from "./faults.js";
export type { HlsSignLimits } from "./hls-limits.js";
export type { RefererRules } from "./referer-configuration.js";
export type { BucketAcl, BucketOptions, ObjectAcl, StoredObject } from "./store.js";
