// Proves that the headers of a trace are read as W3C and AWS define them, that whatever else they say is refused, in
// bounded time and length, and that a refused one never takes another along.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseAmazonTraceId } from '../../../functions/rpc/telemetry/amazon-trace-id.ts';
import { headersToPassOn, remoteTrace } from '../../../functions/rpc/telemetry/propagation.ts';
import {
  formatTraceparent,
  isBaggage,
  isTracestate,
  parseTraceparent,
} from '../../../functions/rpc/telemetry/trace-context.ts';

const hex = (digits: number) =>
  fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits })
    .filter((it) => !/^0+$/.test(it));
const spanContext = fc.record(
  { traceId: hex(32), spanId: hex(16), isSampled: fc.boolean() },
  { noNullPrototype: true },
);
/** What a client may put into a header. */
const anyHeader = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 300 }),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef-;=,RootParentSampled1 '), maxLength: 120 }),
);

describe('traceparent', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(spanContext, (it) => assert.deepEqual(parseTraceparent(formatTraceparent(it)), it)),
    );
  });

  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const spanId = 'b7ad6b7169203331';
  const valid: [header: string, isSampled: boolean][] = [
    [`00-${traceId}-${spanId}-01`, true],
    [`00-${traceId}-${spanId}-00`, false],
    [`00-${traceId}-${spanId}-03`, true],
    // A later version may have more behind the flags.
    [`cc-${traceId}-${spanId}-01`, true],
    [`cc-${traceId}-${spanId}-01-what-comes`, true],
  ];
  for (const [header, isSampled] of valid) {
    it(`${header} is valid`, () => {
      assert.deepEqual(parseTraceparent(header), { traceId, spanId, isSampled });
    });
  }

  const invalid = [
    '',
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-${spanId}-1`,
    `00-${traceId}-${spanId}-01-more`,
    `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
    `cc-${traceId}-${spanId}-01.more`,
    ` 00-${traceId}-${spanId}-01`,
    `00-${traceId.slice(1)}-${spanId}-01`,
  ];
  for (const header of invalid) {
    it(`"${header}" is not`, () => assert.equal(parseTraceparent(header), undefined));
  }
});

describe('X-Amzn-Trace-Id', () => {
  const root = 'Root=1-67891233-abcdef012345678912345678';
  const traceId = '67891233abcdef012345678912345678';
  const spanId = '53995c3f42cd8ad8';
  const valid: [header: string, expected: object][] = [
    // As an Application Load Balancer sends it, with and without one that came in.
    [root, { traceId, spanId: undefined, isSampled: undefined }],
    [
      `Self=1-67891234-12456789abcdef012345678a;${root}`,
      { traceId, spanId: undefined, isSampled: undefined },
    ],
    [`${root};Parent=${spanId};Sampled=1`, { traceId, spanId, isSampled: true }],
    [
      `${root}; Parent=${spanId.toUpperCase()}; Sampled=0; Lineage=a:0`,
      { traceId, spanId, isSampled: false },
    ],
    [`${root};Parent=${spanId};Sampled=?`, { traceId, spanId, isSampled: undefined }],
    [`${root};Parent=nonsense`, { traceId, spanId: undefined, isSampled: undefined }],
    [`${root};Parent=${'0'.repeat(16)}`, { traceId, spanId: undefined, isSampled: undefined }],
  ];
  for (const [header, expected] of valid) {
    it(`${header} is valid`, () => assert.deepEqual(parseAmazonTraceId(header), expected));
  }

  const invalid = [
    '',
    `Parent=${spanId}`,
    'Root=1-67891233-abcdef01234567891234567',
    'Root=2-67891233-abcdef012345678912345678',
    `Root=1-${'0'.repeat(8)}-${'0'.repeat(24)}`,
    `${root};${'x=y;'.repeat(200)}`,
  ];
  for (const header of invalid) {
    it(`"${header.slice(0, 60)}" is not`, () => assert.equal(parseAmazonTraceId(header), undefined));
  }
});

it('whatever the headers say, what is read of them is a valid place, or nothing', () => {
  fc.assert(
    fc.property(anyHeader, anyHeader, (traceparent, amazon) => {
      const remote = remoteTrace({ traceparent, 'x-amzn-trace-id': amazon });
      if (remote === undefined) return;
      assert.match(remote.traceId, /^(?!0{32})[0-9a-f]{32}$/);
      assert.match(remote.spanId ?? '0000000000000001', /^(?!0{16})[0-9a-f]{16}$/);
    }),
    { numRuns: 2000 },
  );
});

it('traceparent wins, and one that is not valid leaves it to X-Amzn-Trace-Id', () => {
  const amazon = 'Root=1-67891233-abcdef012345678912345678';
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const traceIdOf = (header: string) =>
    remoteTrace({ traceparent: header, 'x-amzn-trace-id': amazon })?.traceId;
  assert.equal(traceIdOf(traceparent), '0af7651916cd43dd8448eb211c80319c');
  assert.equal(traceIdOf('nonsense'), '67891233abcdef012345678912345678');
});

describe('tracestate', () => {
  for (const header of [
    'a=1',
    'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    'a=1 , b=2,',
    'fw529a3039@dt=FfD',
    '1a=b c',
  ]) {
    it(`"${header}" goes on`, () => assert.ok(isTracestate(header)));
  }
  const members = (count: number) => Array.from({ length: count }, (_, index) => `k${index}=v`).join(',');
  for (const header of [
    '',
    ',',
    'a',
    'A=1',
    'a=',
    'a=b=c',
    'a=\u00e9',
    members(33),
    `a=${'v'.repeat(511)}`,
  ]) {
    it(`"${header.slice(0, 30)}" does not`, () => assert.ok(!isTracestate(header)));
  }
});

describe('baggage', () => {
  for (const header of ['a=1', 'user=ann%20b;secret;ttl=1, c = 2', 'a=']) {
    it(`"${header}" goes on`, () => assert.ok(isBaggage(header)));
  }
  const members = (count: number) => Array.from({ length: count }, (_, index) => `k${index}=v`).join(',');
  for (const header of [
    '',
    'a',
    'a b=1',
    'a=b c',
    'a="q"',
    'a=\u00e9',
    'a=1\nb=2',
    members(65),
    `a=${'v'.repeat(8191)}`,
  ]) {
    it(`"${header.slice(0, 30)}" does not`, () => assert.ok(!isBaggage(header)));
  }
});

it('whatever came in, what goes on is short, and has no character that ends a header', () => {
  fc.assert(
    fc.property(anyHeader, anyHeader, anyHeader, (traceparent, tracestate, baggage) => {
      const given: Record<string, string> = { traceparent, tracestate, baggage };
      for (const value of Object.values(headersToPassOn(undefined, (name) => given[name]))) {
        assert.ok(value.length <= 8192);
        assert.match(value, /^[\t\x20-\x7e]+$/);
      }
    }),
    { numRuns: 2000 },
  );
});

it('a hostile header is refused, in a time that grows with its length', () => {
  const spaces = ' '.repeat(8_000);
  const hostile = [
    '0'.repeat(64 * 1024),
    ' '.repeat(64 * 1024),
    ',='.repeat(32 * 1024),
    `a=${spaces}"`,
    `a${spaces}"`,
    `a=b${spaces}"`,
    `a=b;${spaces}"\u0001`,
  ];
  for (const header of hostile) {
    for (const read of [parseTraceparent, parseAmazonTraceId]) assert.equal(read(header), undefined);
    assert.ok(!isTracestate(header));
    assert.ok(!isBaggage(header));
  }
});
