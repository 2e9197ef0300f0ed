/** What google.protobuf.Timestamp can tell, in ms since the epoch: from 0001-01-01 until the end of 9999. */
const firstMs = Date.parse('0001-01-01T00:00:00.000Z');
const lastMs = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * When a user signed up, as it may be shown. A store may hold what no release has written: a time that can't be is not
 * known.
 */
export function createdAtOf({
  createdAtMs,
}: {
  readonly createdAtMs?: number | undefined;
}): number | undefined {
  const isTime =
    Number.isInteger(createdAtMs) && Number(createdAtMs) >= firstMs && Number(createdAtMs) <= lastMs;
  return isTime ? createdAtMs : undefined;
}
