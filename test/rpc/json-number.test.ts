// Proves that a string is taken for a number as protobuf's JSON has it, in decimal, and not as JavaScript reads "0x10";
// at every depth of a message, while a text may begin so.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { serve } from './echo.ts';
import type { EchoRequest } from './gen/echo_pb.js';

for (const [json, status] of [
  ['{"text":"0x10","count":"16"}', 200],
  ['{"text":"0x10","count":"1.6e1"}', 200],
  ['{"count":"0x10"}', 400],
  ['{"count":"0X10"}', 400],
  ['{"count":"0b10000"}', 400],
  ['{"count":"0o20"}', 400],
  ['{"failure":{"code":"0x10","message":"0x10"}}', 400],
  ['{"showHeaders":["0x10"],"headers":[{"name":"x-a","value":"0x10"}],"count":"16"}', 200],
] as const) {
  it(`${json} is answered with ${status}`, async (t) => {
    let count = 0;
    const unary = (request: EchoRequest) => {
      count = request.count;
      return {};
    };
    const { url } = await serve(t, { unary });
    const response = await fetch(`${url}/test.echo.v1.Echo/Unary`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: json,
    });
    const answer = await response.text();
    assert.equal(response.status, status);
    assert.equal(count, status === 200 ? 16 : 0);
    assert.equal(answer.includes('"invalid_argument"'), status === 400);
  });
}
