import { type Place, placeOf, type Target, targetOf } from './place.js';
import { type Import, importsOf, type SourceFile, type Violation } from './source-file.js';

/** One row of the table. The reason is printed with each failure: it should tell a stranger what to do instead. */
export interface Rule {
  rule: string;
  reason: string;
  check: (files: readonly SourceFile[]) => Violation[];
}

export interface ImportSite {
  path: string;
  place: Place;
  target: Target;
  /** Where the target stands, if it is ours. */
  targetPlace: Place | undefined;
  imported: Import;
}

/** Whether rules about the product's own code hold for this file: tests, benches and the kit for tests may do more. */
export function isProduct(path: string): boolean {
  return placeOf(path).isSource && !path.startsWith('packages/testing/');
}

/** A check of each import by itself: `judge` says what is wrong with one, or undefined. */
export function eachImport(judge: (site: ImportSite) => string | undefined): Rule['check'] {
  return (files) =>
    files.filter(isTypeScript).flatMap((file) =>
      importsOf(file).flatMap((imported) => {
        const target = targetOf(imported.specifier, file.path);
        const targetPlace = target.kind === 'ours' ? placeOf(target.path) : undefined;
        const what = judge({ path: file.path, place: placeOf(file.path), target, targetPlace, imported });
        return what === undefined ? [] : [{ path: file.path, line: imported.line, what: `${imported.specifier}: ${what}` }];
      }),
    );
}

export function isTypeScript(file: SourceFile): boolean {
  return file.path.endsWith('.ts');
}

export function isGenerated(path: string): boolean {
  return path.startsWith('protos/gen/');
}
