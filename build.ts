import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build as esbuild, type Metafile, type Plugin } from 'esbuild';
import { compiledFiles } from './functions/start/compiled-script.ts';
import { buildPage, type PageFiles } from './functions/web/console/page-files.ts';
import packageJson from './package.json' with { type: 'json' };
import { readyFiles } from './proto/ready-files.ts';

/**
 * What the bundles may weigh, minified and without source maps, in bytes. A build over budget fails: a cold start
 * pays for every byte that is parsed. Raise a figure here only together with the reason for it.
 */
export const budgets = {
  /**
   * What every server loads: gRPC, Connect, protobuf, logging. 6 kB of it are who may call, and how that is set; 20 kB
   * metrics, trace context and the settings of telemetry; 8 kB what browsers get in place of text; 3 kB readiness;
   * 17 kB passwords that are checked, accounts, changes, removals and lists, with their messages; 27 kB HTTP/2; 7 kB
   * what refuses load that is too much; 16 kB descriptors that are ready made. What pino would write with, 19 kB, is
   * left out.
   */
  serverStartBytes: 418_000,
  /** What a server loads besides that sends traces or metrics by OTLP: OpenTelemetry's SDK, without its instruments. */
  serverTelemetryBytes: 58_000,
  /**
   * What a server on DynamoDB loads besides: the store and its client, and what AWS has for credentials and signatures,
   * without the credential sources it does not use.
   */
  serverDynamoBytes: 165_500,
  /** What a Web Function of AWS Lambda loads besides: what suits that home. */
  serverFunctionBytes: 2_500,
  /**
   * What `data.mjs` loads besides, which no server does: backup, restore, export and import. 3 kB of it keep them off
   * the users file, and say what is wrong; 0.1 kB takes Node's modules without import statements.
   */
  serverDataBytes: 28_500,
  /** The server as one script, whatever it is told to load, and what V8 makes of it. */
  compiledBytes: 2_600_000,
  /** The certificate function: X.509, and the ACM and SSM clients. */
  certificateBytes: 660_000,
  /**
   * What a browser loads of the console: page, style and script. 1 kB of it writes commands of `users` for each method.
   */
  consoleGzipBytes: 61_000,
};

/** One bundle: where it begins, and the files it became. */
interface Bundle {
  readonly name: string;
  readonly files: readonly BundleFile[];
}

interface BundleFile {
  readonly path: string;
  readonly bytes: number;
  readonly gzipBytes: number;
  /**
   * When it is loaded: with the entry point, with DynamoDB's client, with OTLP, in that home, by something none of them
   * needs, or by a browser.
   */
  readonly loaded:
    | 'at start'
    | 'with DynamoDB'
    | 'with telemetry'
    | 'in a Web Function'
    | 'with data.mjs'
    | 'compiled'
    | 'on demand'
    | 'by browsers';
}

/** What is loaded with these modules of ours, besides what is loaded at start. */
const extras: readonly (readonly [BundleFile['loaded'], entry: string])[] = [
  ['with data.mjs', 'users/data/main.ts'],
  ['with DynamoDB', 'stores/dynamodb.ts'],
  ['with telemetry', 'otlp/otlp.ts'],
  ['in a Web Function', 'process/web-function.ts'],
];

/** The Node that the bundles are for, which an older one says before it fails somewhere in a package. */
const nodeMajor = 24;
const needsNode = `if (parseInt(process.versions.node) < ${nodeMajor}) {
  console.error('needs Node ${nodeMajor}: npx node ' + process.argv[1]);
  process.exit(1);
}
`;

/** Has an entry point look at its Node before anything that it imports runs. */
async function lookAtNode(path: string): Promise<void> {
  const [code, map] = await Promise.all([readFile(path, 'utf8'), readFile(`${path}.map`, 'utf8')]);
  await writeFile(join(dirname(path), 'needs-node.mjs'), needsNode);
  await writeFile(path, `import './needs-node.mjs';\n${code}`);
  // A line before all others, which no source has: https://tc39.es/ecma426/ begins each with a semicolon.
  const { mappings, ...rest } = JSON.parse(map);
  await writeFile(`${path}.map`, JSON.stringify({ ...rest, mappings: `;${mappings}` }));
}

const root = fileURLToPath(new URL('.', import.meta.url));

/** Modules of Node that no gRPC call in plain text needs. Together they take some 8 ms to load. */
const lateModules = ['node:http', 'node:tls', 'node:zlib'];

/**
 * Takes Node's own modules without an import statement, for which Node would read each of their exports: of `node:http`
 * that alone loads all of `fetch`, 15 ms of a start. `lateModules` are loaded when something of them is first used. It
 * also lets CommonJS packages have these modules, which call require().
 */
const nodeModules: Plugin = {
  name: 'node modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z]/ }, ({ path }) =>
      isBuiltin(path) ? { path: path.replace(/^(node:)?/, 'node:'), namespace: 'node' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'node' }, ({ path }) => {
      const load = `process.getBuiltinModule(${JSON.stringify(path)})`;
      if (!lateModules.includes(path)) return { contents: `module.exports = ${load};` };
      const names = JSON.stringify(Object.keys(process.getBuiltinModule(path) ?? {}));
      const property = `{ enumerable: true, get: () => (it ??= ${load})[name] }`;
      return {
        contents: `let it; for (const name of ${names}) Object.defineProperty(exports, name, ${property});`,
      };
    });
  },
};

/** What pino loads to write by itself, from a thread if asked: our log writes by `LogOutput`. */
const withoutPinoWriters: Plugin = {
  name: 'without writers of pino',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(sonic-boom|thread-stream)$/ }, ({ path }) => ({ path, namespace: 'writer' }));
    onLoad({ filter: /./, namespace: 'writer' }, () => ({ contents: 'module.exports = class {};' }));
  },
};

const options: BuildOptions = {
  bundle: true,
  minify: true,
  sourcemap: 'linked',
  sourcesContent: false,
  format: 'esm',
  platform: 'node',
  target: `node${nodeMajor}`,
  // AWS's packages load what they may not need by import() in their ES modules alone.
  mainFields: ['module', 'main'],
  outExtension: { '.js': '.mjs' }, // an ES module by its name: no package.json goes into the image
  external: ['pino-pretty'], // for a person at a terminal: `npm run dev` runs the sources
  metafile: true,
  logLevel: 'warning',
  absWorkingDir: root,
  // For functions/process/build-info.ts. The commit only where somebody asks for it: with each one the image is
  // another.
  define: {
    'process.env.BUILD_VERSION': JSON.stringify(packageJson.version),
    'process.env.BUILD_COMMIT': JSON.stringify(process.env.GIT_COMMIT ?? ''),
    'process.env.BUILD_COMPILED': '""',
  },
};

/** The files that one output file imports by import statements, itself included. */
function staticClosure(outputs: Metafile['outputs'], start: string, found = new Set<string>()): Set<string> {
  if (found.has(start)) return found;
  found.add(start);
  for (const { path, kind, external } of outputs[start]?.imports ?? []) {
    if (kind === 'import-statement' && !external) staticClosure(outputs, path, found);
  }
  return found;
}

/** Puts the page's files, built, in the place of the module that builds them. */
function readyPage(page: PageFiles): Plugin {
  const contents = `const page = ${JSON.stringify(page)}; export const loadAssets = async () => page;`;
  return {
    name: 'page',
    setup: ({ onLoad }) => onLoad({ filter: /[\\/]web[\\/]console[\\/]assets\.ts$/ }, () => ({ contents })),
  };
}

/** The page's files as they are sent. */
function pageBundle({ html, css, js }: PageFiles): Bundle {
  const parts = Object.entries({ 'index.html': html, 'app.css': css, 'app.js': js });
  const files = parts.map(([name, text]): BundleFile => {
    const content = Buffer.from(text);
    const gzipBytes = gzipSync(content, { level: 9 }).length;
    return { path: `console/${name}`, bytes: content.length, gzipBytes, loaded: 'by browsers' };
  });
  return { name: 'console', files };
}

/**
 * @param entry what is started, or is loaded by what is
 * @param entries all entry points, by the names of their files, which share chunks. Default: that one, as `main`
 */
async function bundle(
  name: string,
  entry: string,
  outdir: string,
  { plugins = [], entries = { main: entry } }: { plugins?: Plugin[]; entries?: Record<string, string> } = {},
): Promise<Bundle> {
  await rm(outdir, { recursive: true, force: true });
  const result = await esbuild({
    ...options,
    plugins: [nodeModules, withoutPinoWriters, ...plugins],
    entryPoints: entries,
    outdir,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
  });
  const outputs = result.metafile?.outputs ?? {};
  const entryOf = (end: string) =>
    Object.keys(outputs).find((path) => outputs[path]?.entryPoint?.endsWith(end));
  const start = staticClosure(outputs, entryOf(entry) ?? '');
  const loadedBy = new Map<string, BundleFile['loaded']>();
  for (const [loaded, end] of extras) {
    const path = entryOf(end);
    for (const file of path ? staticClosure(outputs, path) : []) loadedBy.set(file, loaded);
  }
  for (const file of start) loadedBy.set(file, 'at start');
  const files = Object.keys(outputs)
    .filter((path) => !path.endsWith('.map'))
    .map(async (path): Promise<BundleFile> => {
      const content = await readFile(join(root, path));
      const loaded = loadedBy.get(path) ?? 'on demand';
      return { path, bytes: content.length, gzipBytes: gzipSync(content).length, loaded };
    });
  return { name, files: await Promise.all(files) };
}

/** What starts a server, and what prepares that: see `functions/start/`. */
const startEntries = { main: 'functions/start/main.ts', compile: 'functions/start/compile.ts' };

/** A script, and what V8 has made of it, by the names of the files: for this Node and for others. */
interface FormerCode {
  readonly source: Buffer;
  readonly codes: ReadonlyMap<string, Buffer>;
}

/**
 * What a build before has left in a bundle. V8 does not make the same of a script twice, and for other code in its
 * image a deployment would replace all tasks.
 */
async function formerCode(folder: string): Promise<FormerCode | undefined> {
  const { source } = compiledFiles(folder);
  const compiled = dirname(source);
  if (!existsSync(source)) return undefined;
  const names = (await readdir(compiled)).filter((file) => file.endsWith('.code'));
  const codes = names.map(async (name) => [name, await readFile(join(compiled, name))] as const);
  return { source: await readFile(source), codes: new Map(await Promise.all(codes)) };
}

/**
 * Adds to a bundle the server as one script, and what V8 makes of it on this Node (`functions/start/`): that is where
 * most of a start goes. Elsewhere the server starts from its modules.
 */
async function compile(
  name: string,
  entry: string,
  folder: string,
  plugins: readonly Plugin[],
  former: FormerCode | undefined,
): Promise<Bundle> {
  const compiled = join(folder, 'compiled');
  const path = join(compiled, 'server.js');
  await esbuild({ ...options, plugins: [nodeModules], entryPoints: startEntries, outdir: folder });
  await Promise.all(['main.mjs', 'data.mjs'].map((it) => lookAtNode(join(folder, it))));
  await esbuild({
    ...options,
    plugins: [withoutAwait(entry), ...plugins, nodeModules, withoutPinoWriters],
    entryPoints: [entry],
    format: 'iife',
    outfile: path,
    define: { ...options.define, 'import.meta.filename': '"server.js"', 'process.env.BUILD_COMPILED': '"1"' },
  });
  if (former?.source.equals(await readFile(path))) {
    for (const [name, code] of former.codes) await writeFile(join(compiled, name), code);
  }
  if (!existsSync(compiledFiles(folder).code)) {
    await promisify(execFile)(process.execPath, [join(folder, 'compile.mjs')], { maxBuffer: 2 ** 24 });
  }
  // What a start on this Node reads: code for others lies beside it.
  const sizes = Object.values(compiledFiles(folder)).map(async (file): Promise<BundleFile> => {
    const content = await readFile(file);
    const loaded = 'compiled';
    return { path: file, bytes: content.length, gzipBytes: gzipSync(content).length, loaded };
  });
  return { name, files: await Promise.all(sizes) };
}

/** A script can't wait for what its entry point begins at last. */
function withoutAwait(entry: string): Plugin {
  return {
    name: 'without await',
    setup({ onLoad }) {
      onLoad({ filter: /[\\/]main\.ts$/ }, async ({ path }) => {
        if (path !== resolve(root, entry)) return undefined;
        const text = await readFile(path, 'utf8');
        return { contents: text.replace(/^await /m, 'void '), loader: 'ts' };
      });
    },
  };
}

/**
 * Bundles the container function and the certificate function, and makes the empty folder that the image keeps users
 * in.
 *
 * @param outdir where to: `users/`, `certificate/` and `data/` in it are replaced
 * @param server the server's entry point
 * @returns the bundles with the sizes of their files, and the console's page, which the server's holds
 */
export async function build(outdir = join(root, 'dist'), server = 'functions/main.ts'): Promise<Bundle[]> {
  const data = join(outdir, 'data');
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true });
  await writeFile(join(data, '.keep'), ''); // an empty folder does not survive every copy
  const page = await buildPage();
  const users = join(outdir, 'users');
  const former = await formerCode(users);
  const plugins = [readyPage(page), readyFiles];
  const bundles = await Promise.all([
    bundle('users', server, users, {
      plugins,
      entries: { server, data: 'functions/users/data/main.ts' },
    }),
    bundle('certificate', 'functions/certificate/main.ts', join(outdir, 'certificate')),
  ]);
  return [...bundles, await compile('compiled', server, users, plugins, former), pageBundle(page)];
}

/** What is heavier than its budget, in words; empty when all is well. */
export function overBudget(bundles: readonly Bundle[], limits: typeof budgets = budgets): string[] {
  const weigh = (name: string, loaded?: BundleFile['loaded'], size: 'bytes' | 'gzipBytes' = 'bytes') =>
    bundles
      .filter((bundle) => bundle.name === name)
      .flatMap(({ files }) => files.filter((file) => loaded === undefined || file.loaded === loaded))
      .reduce((sum, file) => sum + file[size], 0);
  const weights = [
    ['serverStartBytes', weigh('users', 'at start')],
    ['serverDynamoBytes', weigh('users', 'with DynamoDB')],
    ['serverTelemetryBytes', weigh('users', 'with telemetry')],
    ['serverFunctionBytes', weigh('users', 'in a Web Function')],
    ['serverDataBytes', weigh('users', 'with data.mjs')],
    ['compiledBytes', weigh('compiled')],
    ['certificateBytes', weigh('certificate')],
    ['consoleGzipBytes', weigh('console', undefined, 'gzipBytes')],
  ] as const;
  return weights
    .filter(([name, bytes]) => bytes > limits[name])
    .map(([name, bytes]) => {
      const limit = limits[name];
      return `${name}: ${bytes} bytes, ${bytes - limit} over the budget of ${limit} in build.ts`;
    });
}

function sizeTable(bundles: readonly Bundle[]): string {
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`.padStart(11);
  const lines = [`${'file'.padEnd(52)}${'minified'.padStart(11)}${'gzip'.padStart(11)}  loaded`];
  for (const { files } of bundles) {
    const needed = files.filter(({ loaded }) => loaded !== 'on demand');
    for (const { path, bytes, gzipBytes, loaded } of needed.sort((a, b) => b.bytes - a.bytes)) {
      lines.push(`${path.padEnd(52)}${kilobytes(bytes)}${kilobytes(gzipBytes)}  ${loaded}`);
    }
    const onDemand = files.filter(({ loaded }) => loaded === 'on demand');
    const sum = (key: 'bytes' | 'gzipBytes') => onDemand.reduce((total, file) => total + file[key], 0);
    if (onDemand.length > 0) {
      const name = `  ${onDemand.length} chunks more`.padEnd(52);
      lines.push(`${name}${kilobytes(sum('bytes'))}${kilobytes(sum('gzipBytes'))}  on demand`);
    }
  }
  return lines.join('\n');
}

if (import.meta.main) {
  const bundles = await build().catch(() => process.exit(1)); // esbuild has said what is wrong, and where
  if (!process.argv.includes('--quiet')) console.log(sizeTable(bundles));
  const problems = overBudget(bundles);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
