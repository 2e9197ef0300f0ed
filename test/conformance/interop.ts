import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RpcServer } from '../../functions/rpc/server.ts';
import { createAuthority } from '../support/certificates.ts';
import { interopRoutes } from './interop-service.ts';
import type { Counts } from './suite.ts';
import { goTool, run } from './tool.ts';

/**
 * The cases of gRPC's interop tests that grpc-go's client has and that need no cloud or cluster around it.
 * Compression is not among them: the Connect suite covers it, with grpc-go's client too.
 * Source: https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md
 */
const cases = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
  'pick_first_unary',
  'rpc_soak',
  'channel_soak',
];

/** Runs grpc-go's interop client against our server, in plain text and over TLS. */
export async function interop(): Promise<Counts> {
  const client = await goTool('client');
  const folder = await mkdtemp(join(tmpdir(), 'interop-'));
  const { ca, issue } = await createAuthority();
  await writeFile(join(folder, 'ca.pem'), ca);
  const secure = ['--use_tls', '--use_test_ca', `--ca_file=${join(folder, 'ca.pem')}`];
  const counts = { passed: 0, failed: 0 };
  for (const tls of [undefined, await issue({ dns: ['localhost'] })]) {
    const server = new RpcServer({ routes: interopRoutes, tls });
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    // Slow machines are not what the soak cases are for.
    const patience = [
      '--soak_per_iteration_max_acceptable_latency_ms=10000',
      '--soak_overall_timeout_seconds=60',
    ];
    const where = ['--server_host=localhost', `--server_port=${port}`, ...patience, ...(tls ? secure : [])];
    for (const name of cases) {
      const { code, output } = await run(client, [...where, `--test_case=${name}`]);
      if (code === 0) counts.passed++;
      else {
        counts.failed++;
        console.log(`FAILED: ${name}, ${tls ? 'TLS' : 'plain text'}\n${output}`);
      }
    }
    await server.close();
  }
  await rm(folder, { recursive: true });
  return counts;
}
