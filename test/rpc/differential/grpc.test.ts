// Proves that our gRPC is the same protocol as connect-node's own: a table of calls goes to both as raw HTTP/2, and
// everything that a client sees must be equal, or differ as the table explains. Both serve one implementation; what
// depends on the way that a call takes through our server runs once for each.
import type { Interceptor } from '@connectrpc/connect';
import { behaviourCases } from './behaviour.ts';
import { compareWithStock } from './compare.ts';
import { Dialect } from './dialect.ts';
import { encodingCases } from './encoding.ts';
import { framingCases } from './framing.ts';
import { grpcHeadCases, headCases } from './head.ts';

const pass: Interceptor = (next) => (request) => next(request);

const dialect = new Dialect({ protocol: 'grpc', http: '2' });
const calls = [...behaviourCases(dialect), ...encodingCases(dialect)];
const requests = [...framingCases(dialect), ...headCases(dialect), ...grpcHeadCases(dialect)];

compareWithStock(dialect, [...calls, ...requests]);
compareWithStock(dialect, calls, 'with an interceptor', { interceptors: [pass] });
compareWithStock(dialect, calls, 'with messages that are kept', { keepsMessages: true });
