import fc from 'fast-check';
import protobuf from 'protobufjs';

/** Messages that we read are built as deep as we read them, those that we skip only this deep. */
const SKIPPED_DEPTH = 2;

/**
 * Any message of a complete type, as a plain object for protobufjs: each field may be set or not, and those that `own` lacks
 * are set as well. Of a oneof at most one field is set.
 */
export function anyMessage(type: protobuf.Type, own: protobuf.Type | undefined, depth = 0): fc.Arbitrary<object> {
  if (type.fullName === '.google.protobuf.Struct') return anyStruct;
  const alone: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of type.fieldsArray) {
    if (field.partOf === null) alone[field.name] = anyField(field, own?.fields[field.name], depth);
  }
  const chosen = type.oneofsArray.map(({ fieldsArray }) =>
    fc.oneof(
      fc.constant({}),
      ...fieldsArray.map((field) => anyField(field, own?.fields[field.name], depth).map((value) => ({ [field.name]: value }))),
    ),
  );
  return fc.tuple(fc.record(alone, { requiredKeys: [] }), ...chosen).map((parts) => Object.assign({}, ...parts));
}

function anyField(field: protobuf.Field, own: protobuf.Field | undefined, depth: number): fc.Arbitrary<unknown> {
  const value = anyValue(field, own, depth);
  if (field instanceof protobuf.MapField) return fc.dictionary(anyKey, value, { maxKeys: 3 });
  return field.repeated ? fc.array(value, { maxLength: 3 }) : value;
}

function anyValue(field: protobuf.Field, own: protobuf.Field | undefined, depth: number): fc.Arbitrary<unknown> {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) return fc.constantFrom(...Object.values(resolvedType.values));
  if (resolvedType instanceof protobuf.Type) {
    if (own?.resolvedType instanceof protobuf.Type) return anyMessage(resolvedType, own.resolvedType);
    return depth < SKIPPED_DEPTH ? anyMessage(resolvedType, undefined, depth + 1) : fc.constant({});
  }
  const scalar = SCALARS[field.type];
  if (scalar === undefined) throw new Error(`${field.fullName} is of an unforeseen type ${field.type}`);
  return scalar;
}

const anyText = fc.string({ unit: 'binary', maxLength: 8 });
/** JavaScript gives `__proto__` a meaning of its own: as a key it is lost, and harms nothing. */
const anyKey = anyText.filter((key) => key !== '__proto__');
const anyDouble = fc.double({ noNaN: true, noDefaultInfinity: true });

const SCALARS: Record<string, fc.Arbitrary<unknown>> = {
  bool: fc.boolean(),
  string: anyText,
  bytes: fc.uint8Array({ maxLength: 8 }),
  int32: fc.integer(),
  uint32: fc.nat(0xffffffff),
  // Beyond these a JavaScript number is not exact; ours refuse such a message.
  int64: fc.maxSafeInteger(),
  uint64: fc.maxSafeNat(),
  float: fc.float({ noNaN: true, noDefaultInfinity: true }),
  double: anyDouble,
};

const { struct: anyStruct } = fc.letrec<{ struct: object; value: object }>((tie) => ({
  struct: fc.record({ fields: fc.dictionary(anyKey, tie('value'), { maxKeys: 3 }) }),
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.constant({ null_value: 0 }),
    fc.record({ bool_value: fc.boolean() }),
    fc.record({ number_value: anyDouble }),
    fc.record({ string_value: anyText }),
    fc.record({ struct_value: tie('struct') }),
    fc.record({ list_value: fc.record({ values: fc.array(tie('value'), { maxLength: 3 }) }) }),
  ),
}));
