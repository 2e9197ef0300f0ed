// Proves that messages come out whole however the network cuts them, that a message which is too large is refused
// by its length alone, and that timeouts are read as the protocols say.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { clampDeadlineMs } from '../../functions/rpc/call/deadline.ts';
import { parseConnectTimeoutMs } from '../../functions/rpc/connect/timeout.ts';
import { parseGrpcTimeoutMs } from '../../functions/rpc/grpc/timeout.ts';
import { encodeFrame, FrameReader, FrameWriter } from '../../functions/rpc/message/frame.ts';

const frames = fc.array(
  fc.record(
    { flags: fc.integer({ min: 0, max: 1 }), payload: fc.uint8Array({ maxLength: 2000 }) },
    { noNullPrototype: true },
  ),
  { maxLength: 30 },
);

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const ordered = places.map((it) => it % (bytes.length + 1)).sort((a, b) => a - b);
  return [...ordered, bytes.length].map((end, index) => bytes.subarray(ordered[index - 1] ?? 0, end));
}

describe('FrameReader', () => {
  it('hands on the same messages for every way to cut their bytes', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(70_000), { maxLength: 60 }), (expected, places) => {
        const seen: { flags: number; payload: Uint8Array }[] = [];
        const reader = new FrameReader(2000, (flags, payload) =>
          seen.push({ flags, payload: Uint8Array.from(payload) }),
        );
        const bytes = Buffer.concat(expected.map(({ flags, payload }) => encodeFrame(flags, payload)));
        for (const chunk of cut(bytes, places)) reader.push(chunk);
        assert.deepEqual(seen, expected);
        assert.equal(reader.isPartial, false);
      }),
    );
  });

  it('knows when it has only a part', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(), (payload, place) => {
        const reader = new FrameReader(2000, () => assert.fail('the message is not whole'));
        const bytes = encodeFrame(0, payload);
        const end = 1 + (place % (bytes.length - 1));
        reader.push(bytes.subarray(0, end));
        assert.equal(reader.isPartial, true);
      }),
    );
  });

  it('refuses a message by its length, before it is there', () => {
    const reader = new FrameReader(2000, () => assert.fail('the message is too large'));
    assert.throws(
      () => reader.push(Buffer.from([0, 0, 0, 0x07, 0xd1])),
      (error) => error instanceof ConnectError && error.code === Code.ResourceExhausted,
    );
  });

  it('takes hostile bytes for messages or refuses them, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
        const reader = new FrameReader(100, (_, payload) => assert.ok(payload.length <= 100));
        try {
          for (const chunk of chunks) reader.push(Buffer.from(chunk));
        } catch (error) {
          const refusals = [Code.ResourceExhausted, Code.InvalidArgument];
          assert.ok(error instanceof ConnectError && refusals.includes(error.code), String(error));
        }
      }),
    );
  });
});

it('FrameWriter joins messages that the reader takes apart again', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.boolean()), (expected, takes) => {
      const writer = new FrameWriter();
      const parts: Buffer[] = [];
      expected.forEach(({ flags, payload }, index) => {
        writer.append(flags, payload);
        if (takes[index]) parts.push(writer.take());
      });
      parts.push(writer.take());
      assert.equal(writer.length, 0);
      const bytes = Buffer.concat(expected.map(({ flags, payload }) => encodeFrame(flags, payload)));
      assert.deepEqual(Buffer.concat(parts), bytes);
    }),
  );
});

describe('timeout headers', () => {
  it('of gRPC are digits and a unit, also as connect-es sends them: with a fraction, or more than 8 digits', () => {
    const units = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
    fc.assert(
      fc.property(fc.nat(99_999_999), fc.constantFrom(...Object.entries(units)), (value, [unit, ms]) => {
        assert.equal(parseGrpcTimeoutMs(`${value}${unit}`), value * ms);
      }),
    );
    assert.equal(parseGrpcTimeoutMs(undefined), undefined);
    assert.equal(parseGrpcTimeoutMs('1500.5m'), 1500.5);
    assert.equal(parseGrpcTimeoutMs('150000000m'), 150_000_000);
    for (const bad of [
      '',
      'S',
      '1',
      '1s',
      '-1S',
      '.5S',
      '1.S',
      ' 1S',
      '1 S',
      '1SS',
      '1e3S',
      '٣S',
      `${'1'.repeat(16)}S`,
    ]) {
      assert.ok(Number.isNaN(parseGrpcTimeoutMs(bad)), bad);
    }
  });

  it('of Connect are digits, also with a fraction or more than 10', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), (value) => {
        assert.equal(parseConnectTimeoutMs(String(value)), value);
      }),
    );
    assert.equal(parseConnectTimeoutMs(undefined), undefined);
    assert.equal(parseConnectTimeoutMs('1500.5'), 1500.5);
    assert.equal(parseConnectTimeoutMs('12345678901'), 12_345_678_901);
    for (const bad of ['', '-1', '1.', '.5', '1m', ' 1', '0x1', '1'.repeat(16)]) {
      assert.ok(Number.isNaN(parseConnectTimeoutMs(bad)), bad);
    }
  });

  it('of any bytes are a number or refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const value of [parseGrpcTimeoutMs(text), parseConnectTimeoutMs(text)]) {
          assert.ok(value !== undefined && (Number.isNaN(value) || value >= 0));
        }
      }),
    );
  });

  it('are never granted beyond the cap', () => {
    fc.assert(
      fc.property(fc.option(fc.nat(), { nil: undefined }), (asked) => {
        const granted = clampDeadlineMs(asked, { defaultDeadlineMs: 30, maxDeadlineMs: 300 });
        assert.equal(granted, asked === undefined ? 30 : Math.min(asked, 300));
      }),
    );
  });
});
