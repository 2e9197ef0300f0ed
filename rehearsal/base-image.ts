import { chmod, cp, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './command.ts';

/** The name that a rehearsal gives its base image. */
export const baseImage = 'localhost/rehearsal-node:latest';

const user = 65532;

/**
 * Builds a stand-in of distroless's Node (gcr.io/distroless/nodejs24-debian13:nonroot) as `baseImage`, which can be
 * done without a registry: this process's Node, the libraries that it links to, and nothing else; no shell, not root.
 */
export async function buildBaseImage(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rehearsal-base-'));
  const inRoot = (path: string) => join(folder, 'root', path);
  try {
    for (const path of ['nodejs/bin', 'etc', 'tmp', 'home/nonroot']) {
      await mkdir(inRoot(path), { recursive: true });
    }
    const node = await realpath(process.execPath);
    await cp(node, inRoot('nodejs/bin/node'));
    const linked = await run('ldd', [node]);
    for (const [library] of linked.matchAll(/\/\S+\.so\S*/g)) {
      await mkdir(inRoot(dirname(library)), { recursive: true });
      await cp(library, inRoot(library), { dereference: true });
    }
    await writeFile(
      inRoot('etc/passwd'),
      `root:x:0:0::/root:/sbin/nologin\nnonroot:x:${user}:${user}::/home/nonroot:/sbin/nologin\n`,
    );
    await writeFile(inRoot('etc/group'), `root:x:0:\nnonroot:x:${user}:\n`);
    await writeFile(inRoot('etc/nsswitch.conf'), 'hosts: files dns\n');
    await chmod(inRoot('tmp'), 0o1777);
    await writeFile(
      join(folder, 'Dockerfile'),
      `FROM scratch\nCOPY root/ /\nCOPY --chown=${user}:${user} root/home/nonroot /home/nonroot\n` +
        `USER ${user}\nWORKDIR /home/nonroot\nENTRYPOINT ["/nodejs/bin/node"]\n`,
    );
    await run('podman', ['build', '--quiet', '--isolation', 'chroot', '--tag', baseImage, folder]);
  } finally {
    await rm(folder, { recursive: true });
  }
}
