// npm run raise:base [-- DOCKERFILE]: asks the registry for the digest that the tag of the image's base has now, and
// pins it in the Dockerfile. Then the image is built anew with the next deployment, and by whoever builds it, on that
// base and no other. With --dry-run it only looks, and fails when there is another one.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** What servers run on, in the words of the registry: tasks on ARM, and images for machines at hand. */
const neededPlatforms = ['linux/amd64', 'linux/arm64'];
/** A list of images, one for each platform, as OCI and as Docker names it. */
const listTypes =
  'application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json';
const timeoutMs = 30_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'dry-run': { type: 'boolean', default: false } },
});
const [file = 'functions/users/Dockerfile'] = positionals;
const text = readFileSync(file, 'utf8');
const [line, tagged = '', pinned] = /^ARG BASE=([^\s@]+)(?:@(\S+))?$/m.exec(text) ?? [];
const [, registry, repository, tag] = /^([^/]+)\/(.+):([\w.-]+)$/.exec(tagged) ?? [];
if (line === undefined || registry === undefined || repository === undefined || tag === undefined) {
  console.error(`${file} has no line ARG BASE=REGISTRY/NAME:TAG`);
  process.exit(2);
}
try {
  const latest = await digestOf(registry, repository, tag);
  if (latest === pinned) {
    console.log(`${tagged} is ${latest}, as in ${file}`);
  } else if (values['dry-run']) {
    console.error(`${tagged} is ${latest} now, not ${pinned ?? 'pinned'}: npm run raise:base`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text.replace(line, `ARG BASE=${tagged}@${latest}`));
    console.log(`${tagged}: ${pinned ?? 'the tag alone'} -> ${latest}, in ${file}`);
  }
} catch (error) {
  console.error(`${tagged} is left as it is: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

/**
 * The digest of what a tag names. It is that of the bytes, whatever the registry says. Source: "Pulling manifests" in
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md
 */
async function digestOf(host: string, name: string, reference: string): Promise<string> {
  // As Docker does, in plain text to this machine alone.
  const scheme = /^(localhost|127\.0\.0\.1)(:|$)/.test(host) ? 'http' : 'https';
  const url = `${scheme}://${host}/v2/${name}/manifests/${reference}`;
  const headers: Record<string, string> = { accept: listTypes };
  let response = await get(url, headers);
  if (response.status === 401) {
    headers.authorization = `Bearer ${await anonymousToken(response.headers.get('www-authenticate') ?? '')}`;
    response = await get(url, headers);
  }
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const { manifests = [] }: ImageList = JSON.parse(bytes.toString());
  const platforms = manifests.map((it) => `${it.platform?.os}/${it.platform?.architecture}`);
  const missing = neededPlatforms.filter((it) => !platforms.includes(it));
  if (missing.length > 0) throw new Error(`${url} has nothing for ${missing.join(', ')}`);
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The wire: what is read of a list of images. */
interface ImageList {
  readonly manifests?: readonly {
    readonly platform?: { readonly os?: string; readonly architecture?: string };
  }[];
}

/**
 * What a registry gives to whoever asks, to read what is public. Source:
 * https://distribution.github.io/distribution/spec/auth/token/
 */
async function anonymousToken(challenge: string): Promise<string> {
  const { realm, ...query } = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
  );
  if (realm === undefined) throw new Error(`the registry wants "${challenge}"`);
  const response = await get(`${realm}?${new URLSearchParams(query)}`, {});
  if (!response.ok) throw new Error(`${realm} answers ${response.status}`);
  const { token, access_token: accessToken }: { token?: string; access_token?: string } = JSON.parse(
    await response.text(),
  );
  return token ?? accessToken ?? '';
}

function get(url: string, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { headers, signal: AbortSignal.timeout(timeoutMs) });
}
