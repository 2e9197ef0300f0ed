// Proves that a content type is read as HTTP has it: with parameters, quoted or not, with spaces around them, in any
// case (RFC 9110 sections 5.6.6 and 8.3.1); that an answer of gRPC has the content type of its request, parameters
// aside; and that 415 says in its body and in `accept-post` what would be taken.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { Admission } from '../../functions/rpc/call/admission.ts';
import { GrpcShedder } from '../../functions/rpc/grpc/shedder.ts';
import { rpcLimits } from '../../functions/rpc/index.ts';
import { frame } from '../support/frames.ts';
import { nameOf, wires } from '../support/transports.ts';
import { serve } from './echo.ts';
import { call, contentType } from './raw.ts';

const unary = ({ text }: { text: string }) => ({ text });

for (const wire of wires) {
  describe(`a content type of ${nameOf(wire)}`, () => {
    const type = contentType(wire, 'Unary');
    for (const form of [
      `${type}; charset="utf-8"`,
      `${type} ;charset=utf-8`,
      `${type};charset=utf-8`,
      `${type}\t; a=1 ; b="2;3"`,
      type.toUpperCase(),
    ]) {
      it(`may be ${JSON.stringify(form)}`, async (t) => {
        const serving = await serve(t, { unary });
        const { status, headers } = await call(serving, wire, { headers: { 'content-type': form } });
        assert.equal(status, 200);
        if (wire.protocol !== 'connect') assert.match(headers, /grpc-status: 0/);
      });
    }
  });
}

describe('an answer of gRPC', () => {
  const asked = [
    ['application/grpc', 'application/grpc'],
    ['application/grpc;charset=utf-8', 'application/grpc'],
    ['application/grpc+proto', 'application/grpc+proto'],
    ['Application/gRPC+PROTO', 'application/grpc+proto'],
    ['application/grpc+json', 'application/grpc+json'],
    ['application/grpc+JSON ; a=1', 'application/grpc+json'],
  ] as const;
  for (const [type, answered] of asked) {
    it(`to ${type} is ${answered}, whether or not it succeeds`, async (t) => {
      const serving = await serve(t, {
        unary,
        serverStream() {
          throw new ConnectError('no', Code.NotFound);
        },
      });
      for (const [method, status] of Object.entries({ Unary: 0, ServerStream: 5, Nowhere: 12 })) {
        const body = frame(Buffer.from(type.toLowerCase().includes('json') ? '{}' : ''));
        const answer = await call(
          serving,
          { protocol: 'grpc', http: '2' },
          { method, headers: { 'content-type': type }, body },
        );
        const contentType = /^content-type: (.*)$/m.exec(answer.headers)?.[1];
        assert.deepEqual([method, contentType], [method, answered]);
        assert.match(answer.headers, new RegExp(`^grpc-status: ${status}$`, 'm'));
      }
    });
  }

  it('that refuses a call before it begins has it too', () => {
    const shedder = new GrpcShedder([{ path: '/a/B', isUntimed: false }], new Admission(rpcLimits), {
      openPaths: new Set(),
      observers: [],
    });
    for (const contentType of ['application/grpc', 'application/grpc+proto']) {
      const headers = shedder.refuse({ method: 'POST', path: '/a/B', contentType });
      assert.deepEqual(headers?.slice(0, 4), [':status', '200', 'content-type', contentType]);
      assert.ok(headers?.includes('grpc-status'));
    }
    const other = { method: 'POST', path: '/a/B', contentType: 'application/grpc+json' };
    assert.equal(shedder.refuse(other), undefined);
  });
});

it('JSON may have parameters too', async (t) => {
  const serving = await serve(t, { unary });
  for (const type of ['application/json; charset="utf-8"', 'application/json ;charset=utf-8']) {
    const answer = await call(
      serving,
      { protocol: 'connect', http: '1.1' },
      { headers: { 'content-type': type }, body: Buffer.from('{"text":"a"}') },
    );
    assert.deepEqual([answer.status, answer.body], [200, '{"text":"a"}']);
  }
});

for (const http of ['1.1', '2'] as const) {
  it(`415 says what would be taken, over HTTP/${http}`, async (t) => {
    const serving = await serve(t, { unary });
    for (const type of ['text/plain', 'application/jsonx', 'application/json+proto']) {
      const answer = await call(
        serving,
        { protocol: 'connect', http },
        { headers: { 'content-type': type } },
      );
      assert.equal(answer.status, 415);
      assert.match(
        answer.body,
        /^This method takes application\/proto, application\/json, .*: give one of them as the header content-type\.$/m,
      );
      assert.match(answer.headers, /^accept-post: application\/proto, application\/json, /m);
    }
  });
}
