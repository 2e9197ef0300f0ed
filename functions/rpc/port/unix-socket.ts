import fs from 'node:fs';
import net from 'node:net';

/** A host that begins so is the path of a socket of this machine, as gRPC's clients write it. */
const prefix = 'unix:';

/** The path of the socket that a host names; `undefined` if it names an address. */
export function unixSocketPath(host: string): string | undefined {
  return host.startsWith(prefix) ? host.slice(prefix.length) : undefined;
}

/**
 * Removes the file of a socket at which nobody listens any more: a server that was killed leaves it behind. Whatever
 * else is there stays.
 *
 * @throws the system's error if it may not be removed
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await fs.promises.lstat(path).catch(() => undefined);
  // A file that is no socket refuses connections too.
  if (!found?.isSocket() || !(await isRefused(path))) return;
  await fs.promises.unlink(path);
}

async function isRefused(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = net.connect(path, () => resolve(false));
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
