import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HttpResource, RpcServer } from '../../functions/rpc/index.ts';
import { createAuthority } from '../support/certificates.ts';
import expected from './h2spec-expected.json' with { type: 'json' };
import { interopRoutes } from './interop-service.ts';
import type { Counts } from './suite.ts';
import { goTool, run } from './tool.ts';

/**
 * Runs h2spec against our server, in plain text and over TLS. What fails must be what `h2spec-expected.json` explains,
 * no more and no less: of plain text alone.
 */
export async function h2spec(): Promise<Counts> {
  const { issue } = await createAuthority();
  const tls = await issue({ ip: ['127.0.0.1'] });
  const counts = { passed: 0, failed: 0 };
  const add = (name: string, result: Result, allowed: readonly string[]) => {
    const failures = result.failures.filter((it) => !allowed.includes(it));
    const surprises = allowed.filter((it) => !result.failures.includes(it));
    counts.passed += result.cases - failures.length - surprises.length;
    counts.failed += failures.length + surprises.length;
    for (const it of failures) console.log(`FAILED: ${name}: ${it}`);
    for (const it of surprises) {
      console.log(`FAILED: ${name}: passes, though h2spec-expected.json says no: ${it}`);
    }
    console.log(`${name}: ${result.cases} cases, ${result.failures.length} fail as explained or above`);
  };

  const plain = new RpcServer({ routes: interopRoutes, http });
  const { port } = await plain.listen({ host: '127.0.0.1', port: 0 });
  add('plain text', await spec(port, []), Object.keys(expected));
  await plain.close();

  const secure = new RpcServer({ routes: interopRoutes, http, tls });
  const { port: securePort } = await secure.listen({ host: '127.0.0.1', port: 0 });
  add('TLS', await spec(securePort, ['--tls', '--insecure']), []);
  await secure.close();
  return counts;
}

const http = (): HttpResource[] => [
  {
    paths: ['/'],
    methods: ['GET', 'POST'],
    headers: ['content-type', 'text/plain'],
    async answer(_request, response) {
      response.send('done\n');
    },
    errorText: ({ rawMessage }) => rawMessage,
  },
];

interface Result {
  readonly cases: number;
  /** As `section: case`. */
  readonly failures: readonly string[];
}

async function spec(port: number, args: readonly string[]): Promise<Result> {
  const report = join(tmpdir(), `h2spec-${process.pid}-${port}.xml`);
  const command = ['--strict', `--port=${port}`, `--junit-report=${report}`, ...args];
  const { output } = await run(await goTool('h2spec'), command);
  const xml = await readFile(report, 'utf8').catch(() => {
    throw new Error(`h2spec has not come to its end: ${output}`);
  });
  await rm(report);
  const cases = [
    ...xml.matchAll(/<testcase package="([^"]*)" classname="([^"]*)" [^>]*>\s*(<error|<failure)?/g),
  ];
  return {
    cases: cases.length,
    failures: cases
      .filter(([, , , failure]) => failure)
      .map(([, section, name]) => `${section}: ${name?.replaceAll('&#34;', '"')}`),
  };
}
