const PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether the text is a UUID in its canonical form, in lower case as PostgreSQL prints it. */
export function isUuid(text: string): boolean {
  return PATTERN.test(text);
}
