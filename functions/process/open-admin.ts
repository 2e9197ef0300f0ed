import type { AdminSubject } from './admin-pages.ts';
import type { AdminPort } from './admin-port.ts';
import type { AdminConfig } from './admin-settings.ts';

/** The admin port can't listen where ADMIN_HOST and ADMIN_PORT say; `cause` is the system's error. */
export class AdminListenError extends Error {
  override readonly name = 'AdminListenError';
  readonly at: AdminConfig;

  constructor(at: AdminConfig, cause: unknown) {
    super(`the admin port can't listen at port ${at.port} of ${at.host}`, { cause });
    this.at = at;
  }
}

/** Opens the admin port of these settings, if there is to be one: its code is loaded then. @throws AdminListenError */
export async function openAdminPort(
  config: AdminConfig | undefined,
  subject: AdminSubject,
): Promise<AdminPort | undefined> {
  if (config === undefined) return undefined;
  const { AdminPort } = await import('./admin-port.ts');
  const port = new AdminPort(subject);
  await port.listen(config);
  return port;
}
