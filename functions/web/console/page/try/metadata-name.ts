/**
 * Whether a text is a name of metadata, as gRPC has them
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). Nothing in one means anything to a shell.
 */
export function isMetadataName(text: string): boolean {
  return /^[\w.-]+$/.test(text);
}
