// Proves that only who lets callers in by tokens loads what verifies them: in a bundle it is a chunk that the start
// does not import. And that it is the way in.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { build } from 'esbuild';
import { loadJwtWay } from '../../../functions/rpc/index.ts';
import { rpcLimits } from '../../../functions/rpc/limits.ts';
import { audience, startIssuer } from '../../support/issuer.ts';
import { root } from '../../support/process.ts';
import { callerBy } from './tokens.ts';

it('is a chunk of its own, which the start does not import', async () => {
  const { metafile } = await build({
    stdin: {
      contents: "export * from './functions/rpc/index.ts';",
      resolveDir: root,
      sourcefile: 'entry.ts',
    },
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    outdir: 'out',
    write: false,
    metafile: true,
    absWorkingDir: root,
    logLevel: 'error',
  });
  const { outputs } = metafile;
  const verifies = (path: string) =>
    Object.keys(outputs[path]?.inputs ?? {}).some((input) => input.includes('node_modules/jose/'));
  const closure = new Set<string>();
  const visit = (path: string) => {
    if (closure.has(path)) return;
    closure.add(path);
    for (const it of outputs[path]?.imports ?? []) if (it.kind === 'import-statement') visit(it.path);
  };
  visit(Object.keys(outputs).find((path) => outputs[path]?.entryPoint === 'entry.ts') ?? assert.fail());
  assert.ok(closure.size > 0);
  assert.deepEqual([...closure].filter(verifies), []);
  const chunks = Object.keys(outputs).filter(verifies);
  assert.equal(chunks.length, 1);
  const bytes = outputs[chunks[0] ?? '']?.bytes ?? 0;
  assert.ok(bytes < 40_000, `${bytes} bytes`);
});

it('lets in who has a token', async (t) => {
  const issuer = await startIssuer(t);
  const key = await issuer.add('one');
  const way = await loadJwtWay({ issuer: issuer.url, audience, limits: rpcLimits });
  assert.equal((await callerBy(way, await issuer.sign(key)))?.id, 'token:alexa');
  await assert.rejects(loadJwtWay({ issuer: 'http://issuer.example', audience, limits: rpcLimits }), /https/);
});
