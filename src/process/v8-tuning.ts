/**
 * Flags of Node for a process that serves. A proxy's garbage is short-lived buffers: V8 sees their memory grow and starts
 * to mark the heap step by step and beside the main thread, over and over, though the heap itself stays a few megabytes.
 * Without incremental marking a full collection is one pause (about 10 ms at this heap's size) but comes far more rarely:
 * measured on 100 MiB downloads, 30 % less CPU. Reconsider when a cache makes the heap large.
 *
 * Given when the process is started: set while it runs (`v8.setFlagsFromString`), one time in some dozens V8 was marking
 * at that moment, and the process died of a segmentation fault.
 */
export const SERVING_FLAGS: readonly string[] = ["--no-incremental-marking"];
