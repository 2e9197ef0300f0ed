// The end-to-end suite against USERS_ENDPOINT: `npm run test:endpoint`.
import { endToEnd } from './suite.ts';
import { type Target, targetFromEnvironment } from './target.ts';

const target = read();

if (target) endToEnd(`end to end: ${target.endpoint}`, () => target);

/** What is missing in the environment is told in a sentence. */
function read(): Target | undefined {
  try {
    return targetFromEnvironment();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
    return undefined;
  }
}
