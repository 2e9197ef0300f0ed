import { isObject, readJson } from './try/json-text.ts';

/**
 * Why the server did not answer what the page asked, and how to get what lacks, in a sentence or two.
 *
 * @param scope what the page asked for needs; without one, any credential does
 */
export async function problemOf(response: Response, hasCredential: boolean, scope?: string): Promise<string> {
  const { status } = response;
  const { json } = readJson(await response.text().catch(() => ''));
  const message = isObject(json) && typeof json.message === 'string' ? `: ${json.message}` : '';
  const needed = scope === undefined ? '' : ` with the scope ${scope}`;
  const command = `npx users key new NAME --scopes ${scope ?? 'users.read'} --out key.txt`;
  const how = `Whoever operates the service makes a key by ${command}`;
  switch (status) {
    case 401:
      if (hasCredential) return `The server refuses this key or token${message}. ${how}`;
      return `This needs a credential${needed}. Give a key or token above. ${how}`;
    case 403:
      return scope === undefined
        ? `Your credential may not use the console${message}.`
        : `This needs the scope ${scope}, which your credential does not have. ${how}`;
    default:
      return `The server answered with ${status}${message}. The page asks again.`;
  }
}
