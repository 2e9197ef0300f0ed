// Makes the calls of `npm run bench -- wan` with our typed client, over one connection. Arguments: HOST:PORT and how
// often. Prints a line of JSON for each call, a Reading (reading.ts). ../go/client/main.go does the same with grpc-go.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createUsersClient } from '../../client/client.ts';
import { atATime, type Reading } from './reading.ts';

const users = 10_000;
const userId = 3_000_000_000;

const [address, rounds] = process.argv.slice(2);
/** 740 KB; the answers, which repeat each name and id in a frame of its own, are 790 KB. */
const user = Array.from({ length: users }, (_, index) => ({
  username: createHash('sha256').update(String(index)).digest('hex'),
  userId,
}));
using client = createUsersClient({ endpoint: `http://${address}` });
await call(1);
for (const parallel of atATime) {
  for (let round = 0; round < Number(rounds); round += 1) {
    const calls = Array.from({ length: parallel }, () => call(parallel));
    for (const reading of await Promise.all(calls)) console.log(JSON.stringify(reading));
  }
}

async function call(parallel: number): Promise<Reading> {
  const begunMs = performance.now();
  let firstMs = Number.NaN;
  let count = 0;
  for await (const _ of client.getUsers({ user })) {
    if (count === 0) firstMs = performance.now() - begunMs;
    count += 1;
  }
  assert.equal(count, users);
  return { parallel, firstMs, wholeMs: performance.now() - begunMs };
}
