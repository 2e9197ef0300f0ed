// Proves that our Connect is the same protocol as connect-node's own, over both versions of HTTP, with protobuf and
// with JSON, by POST and by GET: as grpc.test.ts does.
import { behaviourCases } from './behaviour.ts';
import { compareWithStock } from './compare.ts';
import { Dialect } from './dialect.ts';
import { encodingCases } from './encoding.ts';
import { framingCases } from './framing.ts';
import { getCases } from './get.ts';
import { headCases, webHeadCases } from './head.ts';

for (const http of ['2', '1.1'] as const) {
  for (const isBinary of [true, false]) {
    const dialect = new Dialect({ protocol: 'connect', http }, isBinary);
    compareWithStock(dialect, [
      ...behaviourCases(dialect),
      ...(isBinary ? encodingCases(dialect) : []),
      ...framingCases(dialect),
      ...headCases(dialect),
      ...webHeadCases(dialect),
      ...getCases(dialect),
    ]);
  }
}
