// Calls the service with clients that others wrote, and through proxies of theirs: npm run test:peers [-- NAME...]
// Against USERS_ENDPOINT (with USERS_CA, USERS_TOKEN), or else a server of its own. Peers that need servers with other
// settings are left out with USERS_ENDPOINT.
import { startTarget, targetFromEnvironment } from '../e2e/target.ts';
import { buf } from './buf.ts';
import { chromiumPage } from './chromium.ts';
import { connectPython } from './connect-python.ts';
import { curl } from './curl.ts';
import { envoy } from './envoy.ts';
import { grpcCpp } from './grpc-cpp.ts';
import { grpcJava } from './grpc-java.ts';
import { grpcJs } from './grpc-js.ts';
import { grpcurl } from './grpcurl.ts';
import { nginx } from './nginx.ts';
import { niceGrpc } from './nice-grpc.ts';
import { type Peer, runPeers } from './peer.ts';
import { pythonGrpcio } from './python.ts';

const peers: Record<string, Peer> = {
  python: pythonGrpcio,
  'connect-python': connectPython,
  'grpc-java': grpcJava,
  'grpc-cpp': grpcCpp,
  'grpc-js': grpcJs,
  'nice-grpc': niceGrpc,
  buf,
  curl,
  grpcurl,
  chromium: chromiumPage,
  nginx,
  envoy,
};

const asked = process.argv.slice(2);
const unknown = asked.find((it) => !(it in peers));
if (unknown !== undefined) {
  console.error(`There is no peer "${unknown}": choose from ${Object.keys(peers).join(', ')}.`);
  process.exit(2);
}
const isElsewhere = Boolean(process.env.USERS_ENDPOINT);
const chosen = Object.entries(peers).flatMap(([name, peer]) =>
  asked.length === 0 ? (isElsewhere && peer.isLocal ? [] : [peer]) : asked.includes(name) ? [peer] : [],
);
await using target = isElsewhere ? targetFromEnvironment() : await startTarget('functions/main.ts');
const { hostname, port, protocol } = new URL(target.endpoint);
const { passed, failed } = await runPeers(chosen, {
  ...target,
  host: hostname,
  port: Number(port || (protocol === 'https:' ? 443 : 80)),
  caFile: process.env.USERS_CA || undefined,
});
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
