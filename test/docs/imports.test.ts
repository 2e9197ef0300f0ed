// Proves that Biome, with the project's own configuration, refuses the imports that docs/architecture.md forbids, each
// with a sentence that says which rule it is, and takes those that are allowed.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A file, what it imports, and why that is refused; without a reason it is allowed. */
type Import = readonly [file: string, specifier: string, reason?: RegExp];

const alone = /functions\/rpc stands by itself/;
const face = /rpc\/ by its face alone/;
const anyService = /functions\/process serves any service/;
const onlyProto = /client\/ imports nothing but proto\//;
const deployed = /rehearsal\/ knows what was deployed/;
const composes = /Nothing imports a main\.ts/;

const imports: readonly Import[] = [
  ['functions/rpc/a.ts', './call/call.ts'],
  ['functions/rpc/a.ts', '../limits.ts', alone],
  ['functions/rpc/call/a.ts', '../http/exchange.ts'],
  ['functions/rpc/call/a.ts', '../../process/log.ts', alone],
  ['functions/rpc/call/a.ts', '../../../proto/gen/users_pb.js', alone],
  ['functions/rpc/http2/node/a.ts', '../../call/call.ts'],
  ['functions/rpc/http2/node/a.ts', '../../../users/service.ts', alone],
  ['functions/rpc/a/new/room/a.ts', '../../../../users/service.ts', alone],
  ['functions/users/a.ts', '../rpc/index.ts'],
  ['functions/users/a.ts', '../rpc/server.ts', face],
  ['functions/users/stores/a.ts', '../../rpc/index.ts'],
  ['functions/users/stores/a.ts', '../../rpc/limits.ts', face],
  ['functions/web/a.ts', '../rpc/index.ts'],
  ['functions/web/a.ts', '../rpc/call/status.ts', face],
  ['functions/a.ts', './rpc/limits.ts', face],
  ['functions/process/a.ts', '../rpc/index.ts'],
  ['functions/process/a.ts', '../rpc/limits.ts', face],
  ['functions/process/a.ts', '../users/limits.ts', anyService],
  ['functions/process/a.ts', '../web/users.ts', anyService],
  ['functions/process/a.ts', '../limits.ts', anyService],
  ['functions/process/otlp/a.ts', '../settings.ts'],
  ['functions/process/otlp/a.ts', '../../rpc/index.ts'],
  ['functions/process/otlp/a.ts', '../../rpc/limits.ts', face],
  ['functions/process/otlp/a.ts', '../../users/limits.ts', anyService],
  ['functions/certificate/a.ts', '../users/errors.ts', /functions\/certificate stands by itself/],
  ['client/a.ts', '../proto/gen/users_pb.js'],
  ['client/a.ts', '../functions/limits.ts', onlyProto],
  ['client/cli/a.ts', '../errors.ts'],
  ['client/cli/a.ts', '../../proto/gen/users_pb.js'],
  ['client/cli/a.ts', '../../functions/rpc/index.ts', onlyProto],
  ['infra/a.ts', '../functions/limits.ts'],
  ['infra/a.ts', '../functions/process/origin.ts'],
  ['infra/a.ts', '../functions/process/slip.ts'],
  ['infra/a.ts', '../functions/users/errors.ts', /infra\/ knows the limits of the functions/],
  ['rehearsal/a.ts', '../client/client.ts'],
  ['infra/examples/a.ts', '../grpc-service.ts'],
  ['infra/examples/a.ts', '../../functions/limits.ts', /An example is made of the constructs of infra/],
  ['rehearsal/a.ts', '../infra/lifetimes.ts', deployed],
  ['rehearsal/a.ts', '../functions/limits.ts', deployed],
  ['rehearsal/faults/a.ts', '../stage.ts'],
  ['rehearsal/faults/a.ts', '../../test/e2e/target.ts', deployed],
  ['functions/users/a.ts', './main.ts', composes],
  ['functions/rpc/a.ts', './main.ts', composes],
  ['test/a.ts', '../functions/main.ts', composes],
  ['functions/users/a.ts', '../main.ts', composes],
  ['test/a.ts', '../functions/rpc/call/call.ts'],
];

describe('Biome', () => {
  /** What Biome says of the import in each file; they are numbered, as some have the same name. */
  let refusals: Map<string, string>;
  const numbered = (file: string, number: number) => file.replace('a.ts', `a${number}.ts`);

  before(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'users-imports-'));
    for (const file of ['biome.json', '.gitignore']) copyFileSync(join(root, file), join(folder, file));
    imports.forEach(([file, specifier], number) => {
      const path = join(folder, numbered(file, number));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `export * from '${specifier}';\n`);
    });
    refusals = await lint(folder);
    rmSync(folder, { recursive: true });
  });

  imports.forEach(([file, specifier, reason], number) => {
    it(`${reason ? 'refuses' : 'takes'} ${specifier} in ${file}`, () => {
      const refusal = refusals.get(numbered(file, number));
      if (reason) assert.match(refusal ?? 'taken', reason);
      else assert.equal(refusal, undefined);
    });
  });
});

/** The complaints about imports in a folder, by file. */
async function lint(folder: string): Promise<Map<string, string>> {
  const biome = join(root, 'node_modules/.bin/biome');
  const args = ['lint', '--only=style/noRestrictedImports', '--reporter=github', '--max-diagnostics=none'];
  const output = await new Promise<string>((resolve) => {
    // It exits with 1, as it should: something is refused.
    execFile(biome, args, { cwd: folder }, (_error, stdout) => resolve(stdout));
  });
  const lines = output.matchAll(/^::error title=lint\/style\/noRestrictedImports,file=([^,]+),.*::(.*)$/gm);
  return new Map(
    [...lines].map(([, file = '', message = '']) => [
      file.slice(file.indexOf(folder) + folder.length + 1),
      message,
    ]),
  );
}
