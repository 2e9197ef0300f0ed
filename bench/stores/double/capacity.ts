/**
 * What a partition gives in a second, and for how many seconds it keeps what nobody used.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
 */
export interface PartitionLimits {
  /** 0: there are no limits. */
  readonly partitions: number;
  readonly partitionReadUnits: number;
  readonly partitionWriteUnits: number;
  /** DynamoDB keeps up to 300 s; 1 shows what is left once that is used up. */
  readonly burstSeconds: number;
}

/** DynamoDB's limits of a partition, without its burst; no partitions yet. */
export const partitionLimits: PartitionLimits = {
  partitions: 0,
  partitionReadUnits: 3_000,
  partitionWriteUnits: 1_000,
  burstSeconds: 1,
};

interface Bucket {
  reads: number;
  writes: number;
  atMs: number;
}

/** The partitions of a table or an index: keys are dealt out by a hash, and each partition has units by the second. */
export class Capacity {
  readonly #limits: PartitionLimits;
  readonly #buckets: Bucket[];
  readonly #nowMs: () => number;

  constructor(limits: PartitionLimits, nowMs: () => number) {
    const { partitions, partitionReadUnits, partitionWriteUnits, burstSeconds } = limits;
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#buckets = Array.from({ length: partitions }, () => ({
      reads: partitionReadUnits * burstSeconds,
      writes: partitionWriteUnits * burstSeconds,
      atMs: nowMs(),
    }));
  }

  /** Takes read units of a key's partition; false, and nothing taken, if it has none left. */
  read(key: string, units: number): boolean {
    const bucket = this.#bucketOf(key);
    if (bucket === undefined) return true;
    if (bucket.reads < units) return false;
    bucket.reads -= units;
    return true;
  }

  /** Whether the partition of a key has so many write units left. */
  canWrite(key: string, units: number): boolean {
    const bucket = this.#bucketOf(key);
    return bucket === undefined || bucket.writes >= units;
  }

  /** Takes write units of a key's partition, whose debt others wait for if there were too few. */
  write(key: string, units: number): void {
    const bucket = this.#bucketOf(key);
    if (bucket !== undefined) bucket.writes -= units;
  }

  /** Which partition a key belongs to. FNV-1a: keys that differ in their last digits are far apart. */
  partitionOf(key: string): number {
    let hash = 0x811c9dc5;
    for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return ((hash ^ (hash >>> 12)) >>> 0) % this.#limits.partitions;
  }

  #bucketOf(key: string): Bucket | undefined {
    const { partitions, partitionReadUnits, partitionWriteUnits, burstSeconds } = this.#limits;
    if (partitions === 0) return undefined;
    const bucket = this.#buckets[this.partitionOf(key)];
    if (bucket === undefined) return undefined;
    const nowMs = this.#nowMs();
    const seconds = (nowMs - bucket.atMs) / 1000;
    bucket.atMs = nowMs;
    bucket.reads = Math.min(partitionReadUnits * burstSeconds, bucket.reads + seconds * partitionReadUnits);
    bucket.writes = Math.min(
      partitionWriteUnits * burstSeconds,
      bucket.writes + seconds * partitionWriteUnits,
    );
    return bucket;
  }
}
