// The end-to-end suite against servers of its own, one that everybody may call and one that needs a key: the sources,
// or with USERS_MAIN another entry point, such as the bundle (`npm run test:bundle`).
import { randomBytes } from 'node:crypto';
import { endToEnd } from './suite.ts';
import { startTarget } from './target.ts';

const main = process.env.USERS_MAIN || 'functions/main.ts';

endToEnd(`end to end: ${main}`, () => startTarget(main));
endToEnd(`end to end, with a key: ${main}`, () => startTarget(main, randomBytes(32).toString('base64url')));
