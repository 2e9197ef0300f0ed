import { create, type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { base64Encode } from '@bufbuild/protobuf/wire';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { BadRequestSchema, type ServerFacts } from '../../rpc/index.ts';
import type { ConsoleInfo } from './contract.ts';

/** What the descriptors of a service do not say. */
export type ServiceWords = Pick<ConsoleInfo, 'title' | 'version' | 'comments' | 'examples'>;

/** Describes what a server serves: all of it by its descriptors, so that a service that is added is there too. */
export function describeServices(
  { title, version, comments, examples }: ServiceWords,
  { services, scopes, knowsCallers }: Pick<ServerFacts, 'services' | 'scopes' | 'knowsCallers'>,
): ConsoleInfo {
  return {
    title,
    version,
    files: base64Encode(descriptorSet(services)),
    services: services.map(({ typeName }) => typeName),
    comments,
    examples,
    scopes,
    needsCredential: knowsCallers,
  };
}

/** The files of the services, those of errors' details, and all that they import: each after its imports. */
function descriptorSet(services: readonly DescService[]): Uint8Array {
  const files = new Set<DescFile>();
  const add = (file: DescFile) => {
    file.dependencies.forEach(add);
    files.add(file);
  };
  for (const { file } of services) add(file);
  add(BadRequestSchema.file);
  const set = create(FileDescriptorSetSchema, { file: [...files].map(({ proto }) => proto) });
  return toBinary(FileDescriptorSetSchema, set);
}
