// Proves that what a caller asks for is worth something only once the gate has let it in: strangers who mark their
// calls as sampled have few of them recorded, and take nothing from known callers, whose handlers pass on that they
// are.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code } from '@connectrpc/connect';
import { type CallRecord, type TraceHeaders, traceHeaders } from '../../../functions/rpc/index.ts';
import { newSpanId, newTraceId } from '../../../functions/rpc/telemetry/trace-ids.ts';
import { as, byName, byNameLater, toAllKnown } from '../../support/callers.ts';
import { endsWith } from '../../support/outcome.ts';
import { nameOf, wires } from '../../support/transports.ts';
import { echoOf, serve } from '../echo.ts';
import { Echo } from '../gen/echo_pb.js';

const limits = { maxRemoteSampledPerSecond: 10 };
const marked = () => ({ traceparent: `00-${newTraceId()}-${newSpanId()}-01` });

for (const way of [byName, byNameLater]) {
  for (const wire of wires) {
    describe(`over ${nameOf(wire)}, with a gate that answers ${way === byName ? 'at once' : 'later'}`, () => {
      for (const ratio of [0, 1]) {
        it(`strangers have few calls sampled, known callers theirs; ratio: ${ratio}`, async (t) => {
          const calls: CallRecord[] = [];
          const passed: TraceHeaders[] = [];
          const serving = await serve(
            t,
            {
              unary: (_, context) => {
                passed.push(traceHeaders(context));
                return {};
              },
            },
            {
              auth: { ways: [way], scopes: toAllKnown(Echo) },
              telemetry: {
                tracing: { followsParents: true, ratio, ...limits },
                observers: [{ ended: (call) => void calls.push(call) }],
              },
            },
          );
          const echo = echoOf(serving, wire);
          const refusals = Array.from({ length: 200 }, () =>
            endsWith(Code.Unauthenticated, echo.unary({}, { headers: marked() })),
          );
          await Promise.all(refusals);
          await echo.unary({}, as('ann', marked()));
          const sampled = calls.filter(({ trace }) => trace?.isSampled);
          assert.equal(calls.length, 201);
          // The calls may fall into a few seconds.
          assert.ok(sampled.length >= 11 && sampled.length <= 61, String(sampled.length));
          assert.ok(sampled.some(({ caller }) => caller?.id === 'key:ann'));
          assert.match(passed[0]?.traceparent ?? '', /-01$/);
        });
      }
    });
  }
}
