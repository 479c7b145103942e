import { readFileSync } from 'node:fs';
import type { MethodDefinition } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import descriptor, { type IFileDescriptorProto } from 'protobufjs/ext/descriptor/index.js';

/** Files that together import all that Envoy and the services say to each other. */
const CONTRACTS = [
  'envoy/service/auth/v3/external_auth.proto',
  'envoy/service/ratelimit/v3/rls.proto',
  'envoy/service/accesslog/v3/als.proto',
];

const roots = new Map<string, protobuf.Root>();

/**
 * Envoy's complete messages of ext_authz, rate limit and access log, as the binary at `envoyPath` itself knows them: every
 * C++ protobuf program carries its descriptors. Names are those of the .proto files (`response_code`). Kept in memory.
 */
export function envoyDescriptors(envoyPath: string): protobuf.Root {
  let root = roots.get(envoyPath);
  if (root === undefined) {
    root = rootOf(filesWithImports(readFileSync(envoyPath), CONTRACTS));
    roots.set(envoyPath, root);
  }
  return root;
}

/**
 * A method as another gRPC peer would call it, over complete messages: plain objects with the names of the .proto files,
 * 64-bit numbers as numbers, enums as numbers. `path` is as on the wire, `/package.Service/Method`.
 */
export function envoyMethod(descriptors: protobuf.Root, path: string): MethodDefinition<object, object> {
  const [, serviceName = '', methodName = ''] = path.split('/');
  const method = descriptors.lookupService(serviceName).methods[methodName];
  if (method === undefined) throw new Error(`Envoy knows no method ${path}`);
  const { resolvedRequestType, resolvedResponseType } = method;
  if (resolvedRequestType === null || resolvedResponseType === null) throw new Error(`${path} has messages of unknown types`);
  return {
    path,
    requestStream: method.requestStream ?? false,
    responseStream: method.responseStream ?? false,
    requestSerialize: (message) => encodeWith(resolvedRequestType, message),
    requestDeserialize: (bytes) => decodeWith(resolvedRequestType, bytes),
    responseSerialize: (message) => encodeWith(resolvedResponseType, message),
    responseDeserialize: (bytes) => decodeWith(resolvedResponseType, bytes),
  };
}

/** The bytes of a message given as a plain object. What it does not name is not sent; names that Envoy lacks are ignored. */
export function encodeWith(type: protobuf.Type, message: object): Buffer {
  return Buffer.from(type.encode(type.fromObject(message)).finish());
}

/** A message as a plain object. What did not arrive is not there, so that absent and empty can be told apart. */
export function decodeWith(type: protobuf.Type, bytes: Uint8Array): Record<string, unknown> {
  return type.toObject(type.decode(bytes), { longs: Number });
}

function rootOf(file: IFileDescriptorProto[]): protobuf.Root {
  const set = descriptor.FileDescriptorSet.create({ file });
  const root = (protobuf.Root as unknown as { fromDescriptor(set: object): protobuf.Root }).fromDescriptor(set);
  const json = root.toJSON();
  restoreMaps(root, json);
  return protobuf.Root.fromJSON(json).resolveAll() as protobuf.Root;
}

/**
 * A descriptor knows a map as a repeated message of key and value, and protobufjs leaves it at that. `json` is what
 * `namespace` prints; the maps go there, since a type that was resolved once would not let go of its lists.
 */
function restoreMaps(namespace: protobuf.NamespaceBase, json: protobuf.INamespace): void {
  for (const nested of namespace.nestedArray) {
    const nestedJson = json.nested?.[nested.name];
    if (nested instanceof protobuf.Type) {
      const { fields } = nestedJson as protobuf.IType;
      for (const field of nested.fieldsArray) fields[field.name] = mapOf(field) ?? (fields[field.name] as protobuf.IField);
    }
    if (nested instanceof protobuf.Namespace) restoreMaps(nested, nestedJson as protobuf.INamespace);
  }
}

function mapOf(field: protobuf.Field): protobuf.IMapField | undefined {
  const entry = field.resolvedType;
  // protobufjs marks the owner of a map as an entry too; only the entry stands inside its owner.
  if (!(entry instanceof protobuf.Type) || entry.parent !== field.parent || entry.getOption('map_entry') !== true)
    return undefined;
  const { key, value } = entry.fields;
  return key && value && { keyType: key.type, type: value.type, id: field.id };
}

/** The named files and all that they import, without their extensions: those define options, which no message carries. */
function filesWithImports(binary: Buffer, names: readonly string[]): IFileDescriptorProto[] {
  const files = new Map<string, IFileDescriptorProto>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (files.has(name)) continue;
    const file = findFile(binary, name);
    files.set(name, { ...file, extension: [] });
    pending.push(...(file.dependency as string[]));
  }
  return [...files.values()];
}

const NAME_TAG = 0x0a;
const PACKAGE_TAG = 0x12;

/**
 * A FileDescriptorProto begins with its name and goes on with its package. The same name without a package behind it is an
 * import of another file. A binary may hold a file twice, for C++ and for upb; they differ in JSON names only.
 */
function findFile(binary: Buffer, name: string): IFileDescriptorProto {
  const start = binary.indexOf(Buffer.from([NAME_TAG, name.length, ...Buffer.from(name), PACKAGE_TAG]));
  if (start === -1) throw new Error(`the binary holds no descriptor of ${name}`);
  return descriptor.FileDescriptorProto.decode(binary.subarray(start, endOfFile(binary, start))) as IFileDescriptorProto;
}

const SYNTAX_FIELD = 12;
const LENGTH_DELIMITED = 2;

/**
 * Where the message that begins at `start` ends; nothing in the binary says so. Its fields come in the order of their
 * numbers, so it ends behind its syntax, or (proto2 names none) before the first tag that goes back or is none of its own.
 */
function endOfFile(binary: Buffer, start: number): number {
  const reader = new protobuf.Reader(binary);
  reader.pos = start;
  for (let last = 0; last !== SYNTAX_FIELD; ) {
    const end = reader.pos;
    const tag = reader.uint32();
    const field = tag >>> 3;
    const isNext = field >= Math.max(last, 1) && field <= SYNTAX_FIELD && (tag & 7) === LENGTH_DELIMITED;
    if (!isNext) return end;
    reader.skip(reader.uint32());
    last = field;
  }
  return reader.pos;
}
