// Runs the end-to-end suite against what was deployed, each stack that has an endpoint:
//
//   npm run test:deployed [FILE]     what `cdk deploy --outputs-file FILE` wrote; outputs.json without it
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Deployed, readEndpoints } from './endpoint.ts';

const endpoints = read(process.argv[2] ?? 'outputs.json');
const folder = mkdtempSync(join(tmpdir(), 'users-e2e-'));
try {
  for (const { url, ca, serverName, token, isFunction } of endpoints) {
    const caFile = join(folder, 'ca.pem');
    if (ca) writeFileSync(caFile, ca);
    console.log(`end-to-end suite against ${url}`);
    const { status } = spawnSync('npm', ['run', '--silent', 'test:endpoint'], {
      stdio: 'inherit',
      env: {
        ...process.env,
        USERS_ENDPOINT: url,
        USERS_CA: ca ? caFile : '',
        USERS_SERVER_NAME: serverName ?? '',
        USERS_TOKEN: token ?? '',
        E2E_HOME: isFunction ? 'function' : '',
      },
    });
    process.exitCode ||= status ?? 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** A file that is missing is told in a sentence. */
function read(file: string): readonly Deployed[] {
  try {
    return readEndpoints(file);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
