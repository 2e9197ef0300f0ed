import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { root } from './subjects.ts';

/** Where the figures come from, in a few lines of Markdown; those of stores come from other programs. */
export function describeMachine(isOfStores = false): string {
  const [cpu] = os.cpus();
  const gib = Math.round(os.totalmem() / 2 ** 30);
  const h2load = execFileSync('h2load', ['--version'], { encoding: 'utf8' }).trim();
  const names = ['@connectrpc/connect-node', isOfStores ? '@aws-sdk/client-dynamodb' : '@grpc/grpc-js'];
  const versions = [...names, '@bufbuild/protobuf'].map((name) => `${name} ${versionOf(name)}`);
  const mod = readFileSync(join(root, isOfStores ? 'bench/go/stores/go.mod' : 'bench/go/go.mod'), 'utf8');
  const go = /google\.golang\.org\/grpc (v\S+)/.exec(mod)?.[1];
  const goSdk = /aws-sdk-go-v2\/service\/dynamodb (v\S+)/.exec(mod)?.[1];
  const python = /^grpcio==(\S+)$/m.exec(readFileSync(join(root, '.ci/tools/requirements.txt'), 'utf8'))?.[1];
  const others = isOfStores ? `aws-sdk-go-v2/service/dynamodb ${goSdk}` : `grpcio ${python}`;
  return [
    `- ${new Date().toISOString().slice(0, 10)}, ${cpu?.model}, ${os.cpus().length} cores, ${gib} GiB, Linux ${os.release().split('-')[0]}`,
    `- Node ${process.versions.node}, ${versions.join(', ')}, grpc-go ${go}, ${others}`,
    ...(isOfStores ? [] : [`- load from ${h2load}`]),
  ].join('\n');
}

function versionOf(name: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'));
  return String(version);
}
