import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = join(root, 'infra/examples/hello');

/** An image of a program in Go, and the processor that it is for. */
export interface GoImage {
  /** The folder that the image is built from. */
  readonly folder: string;
  readonly architecture: ecs.CpuArchitecture;
}

/** The processors as `uname -m` and others name them, and as Go does. */
const processors: Readonly<Record<string, 'amd64' | 'arm64'>> = {
  x86_64: 'amd64',
  amd64: 'amd64',
  aarch64: 'arm64',
  arm64: 'arm64',
};

/**
 * Builds the program of `infra/examples/hello` beside its Dockerfile. Go builds for any processor, so the image needs
 * neither a base nor a step that is run while it is built.
 *
 * @param machine as `uname -m` names it: `x86_64` or `aarch64`; also `amd64` or `arm64`
 * @throws Error with a sentence for another machine, and when there is no Go
 */
export function buildGoImage(machine: string): GoImage {
  const folder = join(root, 'dist/examples/hello');
  const goArchitecture = processors[machine];
  if (!goArchitecture) {
    throw new Error(`machine must be one of ${Object.keys(processors).join(', ')}, not ${machine}`);
  }
  const isX86 = goArchitecture === 'amd64';
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(source, 'Dockerfile'), join(folder, 'Dockerfile'));
  const env = { ...process.env, CGO_ENABLED: '0', GOOS: 'linux', GOARCH: goArchitecture };
  const args = ['build', '-trimpath', '-ldflags=-s', '-o', join(folder, 'server'), '.'];
  try {
    execFileSync('go', args, { cwd: source, env, stdio: ['ignore', 'ignore', 'inherit'] });
  } catch (cause) {
    // What Go itself says is on standard error already.
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    const reason = isMissing ? 'there is no go in PATH' : 'it did not build the example';
    throw new Error(`Go 1.26 or later is needed: ${reason}`, { cause });
  }
  const { X86_64, ARM64 } = ecs.CpuArchitecture;
  return { folder, architecture: isX86 ? X86_64 : ARM64 };
}

/** The image in ECR, for any number of services of a stack. */
export function imageOf(scope: Construct, { folder, architecture }: GoImage): ecs.ContainerImage {
  const { LINUX_AMD64, LINUX_ARM64 } = Platform;
  const platform = architecture === ecs.CpuArchitecture.X86_64 ? LINUX_AMD64 : LINUX_ARM64;
  const asset = new DockerImageAsset(scope, 'Image', { directory: folder, platform });
  return ecs.ContainerImage.fromDockerImageAsset(asset);
}
