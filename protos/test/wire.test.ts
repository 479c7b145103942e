import { HeaderValueOption } from '@tollgate/protos/envoy/config/core/v3/base';
import { CheckRequest } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { envoyPath } from '@tollgate/testing/envoy';
import { encodeWith, envoyDescriptors } from '@tollgate/testing/envoy-protos';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { anyMessage } from './any-message.js';
import { CODECS, EXAMPLES } from './examples.js';
import { ownDescriptors } from './own-protos.js';

const own = ownDescriptors();
let envoy: protobuf.Root;

beforeAll(async () => {
  envoy = envoyDescriptors(await envoyPath());
});

test('the examples leave no field of ours out', () => {
  const set = new Set(EXAMPLES.flatMap(({ type, envoys }) => fieldsSet(own.lookupType(type), envoys)));
  const missing = [...set].flatMap((field) => (field.parent as protobuf.Type).fieldsArray).filter((field) => !set.has(field));
  expect(missing.map(({ fullName }) => fullName)).toEqual([]);
});

describe.each(EXAMPLES)('$name', ({ type, codec, ours, envoys }) => {
  test('means the same to us when Envoy sends it', () => {
    expect(codec.decode(encodeWith(envoy.lookupType(type), envoys))).toEqual(ours);
  });

  test('means the same to Envoy when we send it', () => {
    const complete = envoy.lookupType(type);
    expect(view(complete, codec.encode(ours).finish())).toEqual(view(complete, encodeWith(complete, envoys)));
  });
});

test.each([...CODECS])('whatever %s Envoy can send, we read our part of it and step over the rest', (type, codec) => {
  const complete = envoy.lookupType(type);
  const trimmed = own.lookupType(type);
  fc.assert(
    fc.property(anyMessage(complete, trimmed), (message) => {
      const sent = encodeWith(complete, message);
      const sentAgain = codec.encode(codec.decode(sent)).finish();
      expect(partOf(trimmed, view(complete, sentAgain))).toEqual(partOf(trimmed, view(complete, sent)));
    }),
  );
});

test('fields that no Envoy of today knows are stepped over, whatever their wire type', () => {
  const writer = new protobuf.Writer();
  writer.uint32((5000 << 3) | 0).uint64(7);
  writer.uint32((5001 << 3) | 1).fixed64(7);
  writer.uint32((5002 << 3) | 2).string('seven');
  writer.uint32((5003 << 3) | 5).fixed32(7);
  const request: CheckRequest = { attributes: { request: { http: { headers: { a: 'b' } } }, contextExtensions: {} } };
  const known = CheckRequest.encode(request).finish();
  expect(CheckRequest.decode(Buffer.concat([writer.finish(), known, writer.finish()]))).toEqual(request);
});

test('append: false is sent, and is not the same as no append', () => {
  const type = envoy.lookupType('envoy.config.core.v3.HeaderValueOption');
  const received = (option: HeaderValueOption) => view(type, HeaderValueOption.encode(option).finish())['append'];
  expect(received({ append: false })).toEqual({ value: false });
  expect(received({})).toBeNull();
});

/** The fields that a message sets, and those of the messages in it. Well-known types are protobuf's affair, not ours. */
function fieldsSet(type: protobuf.Type, message: object): protobuf.Field[] {
  if (type.fullName.startsWith('.google.protobuf.')) return [];
  return Object.entries(message).flatMap(([name, value]) => {
    const field = type.fields[name];
    if (field === undefined) throw new Error(`${type.fullName} has no field ${name}`);
    if (!(field.resolvedType instanceof protobuf.Type)) return [field];
    const { resolvedType } = field;
    return [field, ...valuesOf(field, value).flatMap((each) => fieldsSet(resolvedType, each))];
  });
}

function valuesOf(field: protobuf.Field, value: unknown): object[] {
  if (field instanceof protobuf.MapField) return Object.values(value as object);
  return field.repeated ? (value as object[]) : [value as object];
}

/** A complete message without the fields that `own` leaves out. */
function partOf(own: protobuf.Type, message: Record<string, unknown>): Record<string, unknown> {
  const part: Record<string, unknown> = {};
  for (const field of own.fieldsArray) {
    const value = message[field.name];
    if (value !== undefined) part[field.name] = valuePart(field, value);
  }
  return part;
}

function valuePart(field: protobuf.Field, value: unknown): unknown {
  const { resolvedType } = field;
  if (value === null || !(resolvedType instanceof protobuf.Type) || resolvedType.fullName.startsWith('.google.protobuf.'))
    return value;
  const part = (each: unknown) => partOf(resolvedType, each as Record<string, unknown>);
  if (field instanceof protobuf.MapField)
    return Object.fromEntries(Object.entries(value as object).map(([key, each]) => [key, part(each)]));
  return field.repeated ? (value as unknown[]).map(part) : part(value);
}

/** A message with the defaults of what did not arrive, so that a default sent and one left out look alike. */
function view(type: protobuf.Type, bytes: Uint8Array): Record<string, unknown> {
  return type.toObject(type.decode(bytes), { longs: Number, bytes: String, defaults: true });
}
