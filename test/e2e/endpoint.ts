// The end-to-end suite against USERS_ENDPOINT: `npm run test:endpoint`. With E2E_HOME=function what a Web Function
// can't do is proven to fail there.
import { type Home, homeFromEnvironment } from './home.ts';
import { endToEnd } from './suite.ts';
import { type Target, targetFromEnvironment } from './target.ts';

const read = readEnvironment();

if (read) endToEnd(`end to end: ${read.target.endpoint}`, () => read.target, read.home);

/** What is missing in the environment is told in a sentence. */
function readEnvironment(): { target: Target; home: Home } | undefined {
  try {
    return { target: targetFromEnvironment(), home: homeFromEnvironment() };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
    return undefined;
  }
}
