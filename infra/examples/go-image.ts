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

/**
 * Builds the program of `infra/examples/hello` beside its Dockerfile. Go builds for any processor, so the image needs
 * neither a base nor a step that is run while it is built.
 *
 * @param machine as `uname -m` names it: `x86_64`, or ARM
 * @throws Error when there is no Go 1.26
 */
export function buildGoImage(machine: string): GoImage {
  const folder = join(root, 'dist/examples/hello');
  const isX86 = machine === 'x86_64';
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(source, 'Dockerfile'), join(folder, 'Dockerfile'));
  const env = { ...process.env, CGO_ENABLED: '0', GOOS: 'linux', GOARCH: isX86 ? 'amd64' : 'arm64' };
  const args = ['build', '-trimpath', '-ldflags=-s', '-o', join(folder, 'server'), '.'];
  execFileSync('go', args, { cwd: source, env, stdio: ['ignore', 'ignore', 'inherit'] });
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
