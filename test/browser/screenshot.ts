// npm run screenshot: makes docs/console.png, which the README shows: GetUsers, whose users come one after the other.
import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '../../functions/limits.ts';
import { Metrics, RpcServer } from '../../functions/rpc/index.ts';
import { examples } from '../../functions/users/examples.ts';
import { addSamples } from '../../functions/users/samples.ts';
import { createUsersService } from '../../functions/users/service.ts';
import { memoryStore } from '../../functions/users/stores/memory.ts';
import { Console } from '../../functions/web/console/console.ts';
import project from '../../package.json' with { type: 'json' };
import { comments } from '../../proto/gen/comments.js';
import { Users } from '../../proto/gen/users_pb.js';
import { launch } from './chromium.ts';

const path = 'docs/console.png';
const maxBytes = 150_000;
/** After how many ms each user comes: a store far away, so that the picture shows a stream. */
const pausesMs = [300, 250, 700];

const metrics = new Metrics();
const { version } = project;
const page = new Console({
  title: 'Users service',
  version,
  comments,
  examples,
  storeKind: 'memory',
  metrics,
});
const users = createUsersService({ store: memoryStore(), limits });
await addSamples(users);
const server = new RpcServer({
  routes: (router) =>
    router.service(Users, {
      ...users,
      async *getUsers(request, context) {
        let index = 0;
        for await (const result of users.getUsers(request, context)) {
          await delay(pausesMs[index++ % pausesMs.length]);
          yield result;
        }
      },
    }),
  limits,
  telemetry: { metrics, observers: page.observers },
  http: (_local, facts) => page.resources(facts),
});
const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
const browser = await launch();
try {
  const shown = await browser.newPage({ viewport: { width: 1280, height: 880 } });
  await shown.goto(`http://127.0.0.1:${port}/#/try/Users/GetUsers`);
  await shown.getByRole('heading', { name: 'GetUsers' }).waitFor();
  await shown.getByRole('button', { name: 'Send' }).click();
  await shown.locator('.status-line .ok').waitFor();
  await shown.screenshot({ path });
} finally {
  await browser.close();
  await server.close();
  page.close();
}
const { size } = statSync(path);
console.log(`${path}: ${size} bytes`);
if (size > maxBytes) throw new Error(`more than ${maxBytes} bytes`);
