import { fileURLToPath } from 'node:url';

/** The project's migrations, for tests that run from the sources. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../migrations', import.meta.url));
