// The end-to-end suite against a server of its own: the sources, or with USERS_MAIN another entry point, such as the
// bundle (`npm run test:bundle`).
import { endToEnd } from './suite.ts';
import { startTarget } from './target.ts';

const main = process.env.USERS_MAIN || 'functions/users/main.ts';

endToEnd(`end to end: ${main}`, () => startTarget(main));
