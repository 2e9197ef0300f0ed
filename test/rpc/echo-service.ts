import { once } from 'node:events';
import { createRegistry, fromBinary } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { type Echo, type EchoRequest, file_echo, type Metadata } from './gen/echo_pb.js';

const types = createRegistry(file_echo);

/** How the methods' calls went, as they saw it themselves, by the `x-case` header of the call. */
export type Observed = Map<string, string>;

/** Echo as its proto describes it. */
export function echoService(observed: Observed): Partial<ServiceImpl<typeof Echo>> {
  const observing = async <T>(context: HandlerContext, work: () => Promise<T>): Promise<T> => {
    const note = (outcome: string) => observed.set(context.requestHeader.get('x-case') ?? '', outcome);
    note('called');
    try {
      const result = await work();
      note('done');
      return result;
    } catch (error) {
      note(`failed: ${Code[ConnectError.from(error).code]}`);
      throw error;
    }
  };
  const unary = (request: EchoRequest, context: HandlerContext) =>
    observing(context, async () => {
      await begin(request, context);
      end(request);
      return answer(request, context, 0);
    });
  return {
    unary,
    get: unary,
    async *serverStream(request, context) {
      await observing(context, () => begin(request, context));
      for (let index = 0; index < request.count; index++) yield answer(request, context, index);
      end(request);
    },
    clientStream: (requests, context) =>
      observing(context, async () => {
        let last: EchoRequest | undefined;
        const texts: string[] = [];
        for await (const request of requests) {
          await begin(request, context);
          texts.push(request.text);
          last = request;
        }
        if (last) end(last);
        return { ...(last ? answer(last, context, texts.length) : {}), text: texts.join(' ') };
      }),
    async *bidi(requests, context) {
      let index = 0;
      const iterator = requests[Symbol.asyncIterator]();
      for (;;) {
        const next = await observing(context, () => iterator.next());
        if (next.done) return;
        const request = next.value;
        await begin(request, context);
        for (let count = 0; count < request.count; count++) yield answer(request, context, index++);
        end(request);
        if (request.text === 'last') return;
      }
    },
  };
}

async function begin(request: EchoRequest, context: HandlerContext): Promise<void> {
  append(context.responseHeader, request.headers);
  append(context.responseTrailer, request.trailers);
  if (!request.hang) return;
  if (!context.signal.aborted) await once(context.signal, 'abort');
  throw context.signal.reason;
}

function answer(
  { text, showHeaders, pad, anyJson }: EchoRequest,
  { requestHeader }: HandlerContext,
  index: number,
) {
  return {
    text,
    index,
    shown: showHeaders.map((name) => ({ name, value: requestHeader.get(name) ?? 'none' })),
    pad: new Uint8Array(pad),
    ...(anyJson === undefined ? {} : { anyJson }),
  };
}

function end({ failure }: EchoRequest): void {
  if (!failure) return;
  const { code, message, metadata, details } = failure;
  if (code === 0) throw new Error(message);
  const error = new ConnectError(message, code);
  append(error.metadata, metadata);
  for (const { typeUrl, value } of details) {
    const type = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
    // Of a type that is known here as a message, of others as bytes.
    const desc = types.getMessage(type);
    error.details.push(desc === undefined ? { type, value } : { desc, value: fromBinary(desc, value) });
  }
  throw error;
}

function append(headers: Headers, metadata: readonly Metadata[]): void {
  for (const { name, value } of metadata) headers.append(name, value);
}
