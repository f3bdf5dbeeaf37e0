/** The part of JSON Schema (2020-12) that zod makes of our schemas. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly $ref?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

/** A schema as a person reads it, on as many lines as it has fields. */
export function renderSchema(schema: Schema, indent = ''): string {
  const { anyOf, type, properties, items } = schema;
  if (schema.$ref !== undefined) return 'any JSON';
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (anyOf !== undefined) return anyOf.map((each) => renderSchema(each, indent)).join(' | ');
  if (typeof type === 'object') return type.join(' | ');
  if (items !== undefined) return `[ ${renderSchema(items, indent)} ]${bound(schema.maxItems)}`;
  if (properties !== undefined) return renderFields(schema, properties, indent);
  if (type === 'object') return renderMap(schema, indent);
  return `${type}${detail(schema)}`;
}

function renderFields(schema: Schema, properties: Readonly<Record<string, Schema>>, indent: string): string {
  const deeper = `${indent}  `;
  const fields = Object.entries(properties).map(([name, field]) => {
    const optional = schema.required?.includes(name) === true ? '' : '?';
    return `${deeper}${name}${optional}: ${renderSchema(field, deeper)}\n`;
  });
  const closed = schema.additionalProperties === false ? 'closed ' : '';
  return fields.length === 0 ? '{}' : `${closed}{\n${fields.join('')}${indent}}`;
}

function renderMap({ additionalProperties }: Schema, indent: string): string {
  if (typeof additionalProperties !== 'object') return '{ any }';
  return `{ name: ${renderSchema(additionalProperties, indent)} }`;
}

function detail({ format, pattern, maxLength, minimum, exclusiveMinimum }: Schema): string {
  if (format !== undefined) return ` (${format})`;
  if (pattern !== undefined) return ` /${pattern}/`;
  if (exclusiveMinimum !== undefined) return ` > ${exclusiveMinimum}`;
  if (minimum !== undefined && minimum !== Number.MIN_SAFE_INTEGER) return ` ≥ ${minimum}`;
  return bound(maxLength);
}

function bound(most: number | undefined): string {
  return most === undefined ? '' : ` ≤ ${most}`;
}
