import type { MigrationStatus } from '@tollgate/postgres/migrate';
import { column, timeColumn, type View } from './view.js';

export type MigrationRow = { name: string; state: 'applied' | 'pending'; applied_at: string | null };

/** `of` follows each name. */
export function migrationRows({ applied, pending }: MigrationStatus, of = ''): MigrationRow[] {
  return [
    ...applied.map(({ name, appliedAt }) => ({
      name: `${name}${of}`,
      state: 'applied' as const,
      applied_at: appliedAt.toISOString(),
    })),
    ...pending.map((name) => ({ name: `${name}${of}`, state: 'pending' as const, applied_at: null })),
  ];
}

export const MIGRATION_VIEW: View = {
  columns: [column('Name', 'name'), column('State', 'state'), timeColumn('Applied', 'applied_at')],
  fields: ['name', 'state', 'applied_at'],
};
