// Proves that our gRPC-Web is the same protocol as connect-node's own, over both versions of HTTP: as grpc.test.ts
// does. (connect-node has no grpc-web-text: ../grpc-web-text.test.ts.)
import { behaviourCases } from './behaviour.ts';
import { compareWithStock } from './compare.ts';
import { Dialect } from './dialect.ts';
import { encodingCases } from './encoding.ts';
import { framingCases } from './framing.ts';
import { headCases, webHeadCases } from './head.ts';

for (const http of ['2', '1.1'] as const) {
  const dialect = new Dialect({ protocol: 'grpc-web', http });
  compareWithStock(dialect, [
    ...behaviourCases(dialect),
    ...encodingCases(dialect),
    ...framingCases(dialect),
    ...headCases(dialect),
    ...webHeadCases(dialect),
  ]);
}
