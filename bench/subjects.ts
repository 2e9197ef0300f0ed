import { execFileSync } from 'node:child_process';
import { hash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bothCores } from './process.ts';
import { createSigner, signTokens, type TokenAlgorithm } from './tokens.ts';

/** A server under test: what it is, and how it is started. It listens on 127.0.0.1 at `PORT`. */
export interface Subject {
  readonly key: string;
  /** As the tables call it. */
  readonly title: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Which cores it has, as taskset takes them. Default: one, and the load has the other. */
  readonly cores?: string;
  /** What it prints once it serves as it shall. Default: that it accepts connections is enough. */
  readonly saysWhenReady?: string;
  /** What its calls need to be let in. Default: nothing. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Who has signed its certificate, PEM, if it speaks TLS. Default: plain text. */
  readonly ca?: string;
  /** Whether it speaks HTTP/1.1 and not HTTP/2. */
  readonly isHttp1?: boolean;
  /** How it is ended: a container outlives the client that is killed. Default: SIGKILL. */
  readonly stopSignal?: NodeJS.Signals;
}

/** The repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));

const node = process.execPath;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** A server of the folder `servers`. */
export const inNode = (key: string, title: string, path = `servers/${key}.ts`): Subject => ({
  key,
  title,
  command: [node, here(path)],
});
const asShipped = { USERS_STORE: 'memory', LOG_FORMAT: 'json', LOG_LEVEL: 'info' };

/** Ours as they are in a folder, with what their image starts Node with. */
function shippedIn(folder: string): Subject {
  // Where it was until release 1.
  const before = join(folder, 'functions/users/main.ts');
  const main = existsSync(before) ? before : join(folder, 'functions/main.ts');
  const command = [node, ...imageFlags(folder), main];
  return { key: 'shipped', title: 'ours as shipped', command, env: asShipped };
}

/** Ours as they are today. */
export const shipped = shippedIn(root);

/** Ours on SQLite, as one process and as two on the same two cores. */
export const workerSubjects: readonly Subject[] = [1, 2].map((count) => ({
  ...shipped,
  key: `workers ${count}`,
  title: count === 1 ? 'one process' : `${count} workers`,
  env: { ...asShipped, USERS_STORE: 'sqlite', WORKERS: String(count) },
  cores: bothCores,
  saysWhenReady: count === 1 ? undefined : 'all workers listen',
}));

const bare = inNode('bare', 'ours, bare');
const raw = inNode('raw', 'node:http2, raw');
const connectNode = inNode('connect-node', 'connect-node');

/** Ours, and connect's stock handlers, which speak one version of HTTP on a port. */
export const protocolSubjects = {
  ours: bare,
  stock: connectNode,
  stockHttp1: { ...connectNode, key: 'connect-node http1', env: { HTTP1: '1' }, isHttp1: true },
};

/** Those that are compared over TLS, as they are without. */
export const tlsCandidates: readonly Subject[] = [shipped, bare, raw];

/** Ours by Node's HTTP/2. */
export const onNodesHttp2: Subject = {
  ...shipped,
  key: 'shipped on node',
  title: 'ours as shipped, by node:http2',
  env: { ...asShipped, HTTP2_ENGINE: 'node' },
};

/** Whom calls are timed against. Those whose tools are missing are left out, and why is said. */
export function subjects(say: (line: string) => void): Subject[] {
  return [
    shipped,
    bare,
    raw,
    inNode('grpc-js', 'grpc-js'),
    connectNode,
    ...built('grpc-go', 'grpc-go', [here('go/build')], [], say),
    ...built('grpc-go-policies', 'grpc-go, our policies', [here('go/build'), 'policies'], [], say),
    ...built('grpcio', 'Python grpcio', [here('../.ci/tools/python')], [here('servers/python.py')], say),
  ];
}

/**
 * Ours as they were at a commit, from its files in `folder`, with the packages of today.
 *
 * @throws Error when git has no such commit
 */
export function subjectsAt(commit: string, folder: string): Subject[] {
  const files = join(folder, 'before');
  mkdirSync(files);
  const archive = execFileSync('git', ['archive', commit], { cwd: root, maxBuffer: 2 ** 28 });
  execFileSync('tar', ['-x', '-C', files], { input: archive });
  symlinkSync(join(root, 'node_modules'), join(files, 'node_modules'));
  const bareBefore = { ...bare, command: bare.command.map((arg) => arg.replace(root, `${files}/`)) };
  return [shippedIn(files), bareBefore].map((it) => ({
    ...it,
    key: `${it.key} before`,
    title: `${it.title}, at ${commit}`,
  }));
}

/** Whose start is timed: the first is the floor. */
export function coldSubjects(say: (line: string) => void): Subject[] {
  const bundle = here('../dist/users/main.mjs');
  const bundled: Subject = {
    key: 'bundle',
    title: 'ours as shipped, bundle',
    command: [node, ...imageFlags(root), bundle],
    env: asShipped,
  };
  if (!existsSync(bundle)) say('the bundle is left out: `npm run build` makes it');
  return [
    inNode('floor', 'node:http2, an empty answer', 'servers/floor.mjs'),
    ...(existsSync(bundle) ? [bundled] : []),
    ...image(say),
    { ...shipped, key: 'sources', title: 'ours as shipped, sources' },
    ...subjects(say).filter((it) => ['grpc-js', 'connect-node', 'grpc-go'].includes(it.key)),
  ];
}

/** The image, as the Dockerfile says how to build and run it; the container's own start is part of its start. */
function image(say: (line: string) => void): Subject[] {
  try {
    execFileSync('podman', ['image', 'exists', 'users'], { stdio: 'ignore' });
  } catch {
    say('the image is left out: podman, or its image named users (functions/users/Dockerfile), is not here');
    return [];
  }
  const limits = ['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=1024:1024'];
  const run = ['podman', 'run', '--rm', '--read-only', '--cap-drop', 'all', '--network', 'host', ...limits];
  const env = ['HOST', 'PORT', ...Object.keys(asShipped)].flatMap((name) => ['--env', name]);
  return [
    {
      key: 'image',
      title: 'ours as shipped, image, with podman',
      command: [...run, ...env, 'users'],
      env: asShipped,
      stopSignal: 'SIGTERM',
    },
  ];
}

/** A server in Node as a bundle in a folder, with the same flags; others as they are. */
export async function bundled(subject: Subject, folder: string): Promise<Subject> {
  const entry = subject.command.find((arg) => arg.endsWith('.ts'));
  if (entry === undefined) return subject;
  const outdir = join(folder, subject.key);
  await build({
    entryPoints: { main: entry },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    external: ['pino-pretty'],
    // For the CommonJS packages among them.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  const bundle = join(outdir, 'main.mjs');
  return { ...subject, command: subject.command.map((arg) => (arg === entry ? bundle : arg)) };
}

/** What the image of a folder's Dockerfile starts Node with. */
function imageFlags(folder: string): string[] {
  const dockerfile = readFileSync(join(folder, 'functions/users/Dockerfile'), 'utf8');
  const entry = /^ENTRYPOINT (\[[^\]]+\])$/m.exec(dockerfile.replaceAll('\\\n', ''));
  const [, ...flags]: string[] = JSON.parse(entry?.[1] ?? '[]');
  return flags;
}

/** Ours with some policies on. `env`: what these need besides. */
export function withPolicies(policies: string, env: Readonly<Record<string, string>> = {}): Subject {
  const subject = inNode(`policies ${policies}`, policies, 'servers/policies.ts');
  return { ...subject, env: { ...env, POLICIES: policies } };
}

/** Ours where callers need a key, which is made anew. */
export function withKey(): Subject {
  const key = randomBytes(32).toString('base64url');
  const subject = withPolicies('key');
  return {
    ...subject,
    env: { ...subject.env, KEY_SHA256: hash('sha256', key, 'hex') },
    headers: { authorization: `Bearer ${key}` },
  };
}

/** Ours where callers need a token: `jwt`, or with `fresh jwt` one that was never seen. */
export function withTokens(policy: 'jwt' | 'fresh jwt', algorithm: TokenAlgorithm): Subject {
  const signer = createSigner(algorithm);
  const [token] = signTokens(signer, 1);
  const subject = withPolicies(policy);
  return {
    ...subject,
    key: `${subject.key} ${algorithm}`,
    env: { ...subject.env, SIGNER: JSON.stringify(signer) },
    headers: { authorization: `Bearer ${token}` },
  };
}

/** A server that a command builds, which prints where it is; none, and why is said, if it can't. */
export function built(
  key: string,
  title: string,
  [program, ...options]: readonly [string, ...string[]],
  args: readonly string[],
  say: (line: string) => void,
): Subject[] {
  try {
    const path = execFileSync(program, options, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
    return [{ key, title, command: [path, ...args] }];
  } catch (error) {
    const reason = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    say(`${title} is left out: ${reason}`);
    return [];
  }
}
