import type { Message } from '@bufbuild/protobuf';
import type { RpcLimits } from '../limits.ts';
import type { Codec } from './codec.ts';
import { compress, messageTooLarge } from './compression.ts';
import { compressedFlag } from './frame.ts';

/** Turns the messages of a response into bytes. It compresses them if that is agreed on and worth it. */
export class MessageEncoder {
  readonly codec: Codec;
  /** Protobuf, else JSON. */
  readonly isBinary: boolean;
  /** Whether messages are compressed, where they are large enough. */
  readonly isCompressing: boolean;
  readonly limits: Pick<RpcLimits, 'compressMinBytes' | 'maxMessageBytes'>;

  constructor(
    codec: Codec,
    isBinary: boolean,
    isCompressing: boolean,
    limits: Pick<RpcLimits, 'compressMinBytes' | 'maxMessageBytes'>,
  ) {
    this.codec = codec;
    this.isBinary = isBinary;
    this.isCompressing = isCompressing;
    this.limits = limits;
  }

  /** @throws MESSAGE_TOO_LARGE; what protobuf says of a message that is not of its type */
  serialize(message: Message): Uint8Array {
    const bytes = this.codec.serialize(message);
    const { maxMessageBytes } = this.limits;
    if (bytes.length > maxMessageBytes) throw messageTooLarge(bytes.length, maxMessageBytes);
    return bytes;
  }

  /** Whether a message of that size leaves uncompressed. */
  isSmall(bytes: number): boolean {
    return !this.isCompressing || bytes < this.limits.compressMinBytes;
  }

  /** Hands over a message, at once unless it has to be compressed. @throws, or rejects, as `serialize` */
  encode(message: Message, take: (flags: number, payload: Uint8Array) => void): Promise<void> | undefined {
    const bytes = this.serialize(message);
    if (!this.isSmall(bytes.length)) return compress(bytes).then((it) => take(compressedFlag, it));
    take(0, bytes);
    return undefined;
  }
}
