import { readFile } from 'node:fs/promises';
import { create, fromBinary, isMessage, type Message } from '@bufbuild/protobuf';
import { protoCamelCase } from '@bufbuild/protobuf/reflect';
import { base64Decode } from '@bufbuild/protobuf/wire';
import { type DescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Plugin } from 'esbuild';

/**
 * Has esbuild put descriptors into a bundle as what they are decoded to. Else each start decodes them, and for that
 * makes the descriptors of descriptors first: together 10 ms, where V8 compiles nothing. Those are made when reflection
 * first needs them.
 */
export const readyFiles: Plugin = {
  name: 'ready files',
  setup({ onResolve, onLoad }) {
    onLoad({ filter: /_pb\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (/[\\/]descriptor_pb\.js$/.test(path)) return { contents: later(text) };
      if (!embedded.test(text)) return undefined;
      return { contents: `import { readyFile } from 'ready-file';\n${text.replace(embedded, ready)}` };
    });
    onResolve({ filter: /^ready-file$/ }, () => ({ path: 'ready-file', namespace: 'ready-file' }));
    onLoad({ filter: /./, namespace: 'ready-file' }, () => ({
      contents: runtime(),
      resolveDir: import.meta.dirname,
    }));
  },
};

const embedded = /fileDesc\(\s*"([^"]+)"/;

function ready(_: string, base64: string): string {
  const file = fromBinary(FileDescriptorProtoSchema, base64Decode(base64));
  file.messageType.forEach(nameInJson);
  return `readyFile(() => (${literal(file)})`; // a function, so that esbuild leaves out what nobody needs
}

/** As protobuf-es does when it decodes an embedded file: names that follow from others are left out of it. */
function nameInJson(message: DescriptorProto): void {
  for (const field of message.field) {
    if (!Object.hasOwn(field, 'jsonName')) field.jsonName = protoCamelCase(field.name);
  }
  message.nestedType.forEach(nameInJson);
}

/**
 * JavaScript that makes a value. A message inherits what is not set from a prototype of its type, as protobuf-es's do,
 * and here its empty lists and its type besides: that is three quarters of the text.
 */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join()}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  if (!isMessage(value) || isUninterpreted(value.$typeName)) {
    throw new Error('an option of a proto can not be written down');
  }
  const fields = Object.entries(value)
    .filter(([name, it]) => name !== '$typeName' && !(Array.isArray(it) && it.length === 0))
    .map(([name, it]) => `${JSON.stringify(name)}:${literal(it)}`);
  return `{__proto__:readyFile[${types.findIndex((it) => it.typeName === value.$typeName)}],${fields.join()}}`;
}

/** protoc leaves none of these; they hold bytes. */
function isUninterpreted(typeName: string): boolean {
  return typeName.startsWith('google.protobuf.UninterpretedOption');
}

const types = FileDescriptorProtoSchema.file.messages
  .flatMap((it) => [it, ...it.nestedMessages])
  .filter(({ typeName }) => !isUninterpreted(typeName));

/** The module that makes a file's descriptor of it, with the prototypes of its messages. */
function runtime(): string {
  const prototypes = types.map((type) => {
    const empty: Message = create(type);
    return { ...Object.getPrototypeOf(empty), ...empty };
  });
  return `import { createFileRegistry } from '@bufbuild/protobuf';
export function readyFile(make, imports = []) {
  const file = make();
  file.dependency = imports.map(({ proto }) => proto.name);
  return createFileRegistry(file, (name) => imports.find(({ proto }) => proto.name === name)).getFile(file.name);
}
Object.assign(readyFile, ${JSON.stringify(prototypes)});`;
}

/** The module of descriptors' descriptors, each of which is made when something of it is first read. */
function later(text: string): string {
  const made = text.replace(
    /^(export const \w+ =) \/\*@__PURE__\*\/ (.*);$/gm,
    '$1 /*@__PURE__*/ later(() => $2);',
  );
  return `${made}
function later(make) {
  let it;
  return new Proxy({}, {
    get: (_, key) => (it ??= make())[key],
    has: (_, key) => key in (it ??= make()),
  });
}`;
}
