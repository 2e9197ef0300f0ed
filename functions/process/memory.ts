import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { thisWorker } from './worker.ts';

/** What bounds the memory of a process, in bytes. */
export interface MemoryBounds {
  /** What its cgroup allows (v1 or v2, as libuv finds it): 0, or more than the machine has, where there is no limit. */
  readonly constrainedBytes: number;
  /** What the machine has. */
  readonly totalBytes: number;
  /** What V8's heap may grow to: objects and strings, but not buffers. */
  readonly heapLimitBytes: number;
  /** How many processes have the memory of the container, or of the machine, together. */
  readonly workers: number;
}

/**
 * How many bytes of memory this process may take before something ends it: the kernel, at the limit of the container or
 * of the machine, or V8, at the limit of its heap. One of several workers may take its part of the former. It does not
 * change while the process runs. Who keeps much in memory should keep a share of this at most.
 *
 * The flags that suit a container are in functions/users/Dockerfile; docs/settings.md says what they make of its
 * memory.
 */
export function memoryLimitBytes(bounds: MemoryBounds = ownBounds()): number {
  const { constrainedBytes, totalBytes, heapLimitBytes, workers } = bounds;
  const ofAllBytes = Math.min(constrainedBytes || totalBytes, totalBytes);
  return Math.min(Math.floor(ofAllBytes / workers), heapLimitBytes);
}

/**
 * The flags of Node for each of several workers, from those that the first process was started with: a flag that bounds
 * the heap holds for all workers together.
 */
export function sharedHeapFlags(flags: readonly string[], workers: number): string[] {
  return flags.map((flag) => {
    const [, name = '', size] = heapFlag.exec(flag) ?? [];
    if (size === undefined) return flag;
    const share = Number(size) / workers;
    // V8 takes a part of a percentage, but only whole MiB.
    return `${name}=${Math.max(1, name.endsWith('percentage') ? share : Math.floor(share))}`;
  });
}

const heapFlag = /^(--max[-_]old[-_]space[-_]size(?:[-_]percentage)?)=([\d.]+)$/;

/**
 * Has V8 put all new objects among the young ones. Else it learns from a burst of large calls to put them among the old
 * ones, where collecting them costs up to half as much again. Call it once the server listens: code is compiled ahead,
 * Node's own and ours, for V8's default flags, and none of that is taken after this. As a flag of the command line it
 * would cost each start 25 ms.
 */
export function keepNewObjectsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}

/** The limits of `rpc/` on what calls hold in memory. */
interface HeldMemory {
  readonly maxHeldBytes: number;
  readonly maxHeldBytesPerClient: number;
  readonly maxHeldBytesPerConnection: number;
}

/**
 * What calls may hold in a process with this much memory: the default, or a quarter of the memory if that is less. The
 * shares of a client and of a connection shrink likewise.
 */
export function heldMemoryWithin(memoryBytes: number, defaults: HeldMemory): HeldMemory {
  const scale = Math.min(1, memoryBytes / 4 / defaults.maxHeldBytes);
  return {
    maxHeldBytes: Math.floor(scale * defaults.maxHeldBytes),
    maxHeldBytesPerClient: Math.floor(scale * defaults.maxHeldBytesPerClient),
    maxHeldBytesPerConnection: Math.floor(scale * defaults.maxHeldBytesPerConnection),
  };
}

function ownBounds(): MemoryBounds {
  return {
    constrainedBytes: process.constrainedMemory(),
    totalBytes: totalmem(),
    heapLimitBytes: getHeapStatistics().heap_size_limit,
    workers: thisWorker?.count ?? 1,
  };
}
