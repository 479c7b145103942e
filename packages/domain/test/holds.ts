import * as fc from 'fast-check';

/** Fails with a shrunk counterexample where the property does not hold. The lint takes `fc.assert` itself for a promise. */
export const holds: <Values>(property: fc.IProperty<Values>, parameters?: fc.Parameters<Values>) => void = fc.assert;
