import { envoyPath } from '@tollgate/testing/envoy';
import { envoyDescriptors } from '@tollgate/testing/envoy-protos';
import protobuf from 'protobufjs';
import { beforeAll, expect, test } from 'vitest';
import { ownDescriptors } from './own-protos.js';

const own = ownDescriptors();
let envoy: protobuf.Root;

beforeAll(async () => {
  envoy = envoyDescriptors(await envoyPath());
});

test('each field of ours is one of Envoy, of the same number, type, label and oneof', () => {
  const fields = ourObjects(own)
    .filter((object) => object instanceof protobuf.Type)
    .flatMap((type) => type.fieldsArray);
  expect(fields.length).toBeGreaterThan(80);
  const theirs = (field: protobuf.Field) => envoy.lookupType(field.parent?.fullName ?? '').fields[field.name];
  expect(fields.map(wireShape)).toEqual(fields.map((field) => wireShape(theirs(field) ?? { name: `no ${field.fullName}` })));
});

test('each enum value of ours has the number that Envoy gives it', () => {
  const enums = ourObjects(own).filter((object) => object instanceof protobuf.Enum);
  expect(enums.length).toBeGreaterThan(5);
  for (const { fullName, values } of enums) expect(envoy.lookupEnum(fullName).values, fullName).toMatchObject(values);
});

test('each method of ours is one that Envoy calls, with the same messages', () => {
  const methods = ourObjects(own)
    .filter((object) => object instanceof protobuf.Service)
    .flatMap((service) => service.methodsArray);
  expect(methods.map(({ fullName }) => fullName)).toEqual([
    '.envoy.service.auth.v3.Authorization.Check',
    '.envoy.service.ratelimit.v3.RateLimitService.ShouldRateLimit',
    '.envoy.service.accesslog.v3.AccessLogService.StreamAccessLogs',
  ]);
  const theirs = (method: protobuf.Method) => envoy.lookupService(method.parent?.fullName ?? '').methods[method.name];
  expect(methods.map(methodShape)).toEqual(methods.map((method) => methodShape(theirs(method))));
});

/** Everything that we declare ourselves: all but the well-known types, which Google declares. */
function ourObjects(namespace: protobuf.NamespaceBase): protobuf.ReflectionObject[] {
  if (namespace.fullName === '.google.protobuf') return [];
  return namespace.nestedArray.flatMap((object) => [object, ...(object instanceof protobuf.Namespace ? ourObjects(object) : [])]);
}

function wireShape(field: protobuf.Field | { name: string }): object {
  if (!(field instanceof protobuf.Field)) return field;
  return {
    name: field.fullName,
    number: field.id,
    type: field.resolvedType?.fullName ?? field.type,
    isRepeated: field.repeated,
    keyType: field instanceof protobuf.MapField ? field.keyType : undefined,
    oneof: field.partOf?.name,
  };
}

function methodShape(method: protobuf.Method | undefined): object | undefined {
  return (
    method && {
      name: method.fullName,
      request: method.resolvedRequestType?.fullName,
      response: method.resolvedResponseType?.fullName,
      requestStream: method.requestStream ?? false,
      responseStream: method.responseStream ?? false,
    }
  );
}
