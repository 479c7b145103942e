import type { AppliedLimit } from '@tollgate/limit-store/applied-limits';
import type { TakeResult } from '@tollgate/limit-store/limit-store';
import { column, numberColumn, type Row, timeColumn, type View } from './view.js';

/** How each limit stands; `shown` and the states are in the same order. */
export function counterRows(shown: readonly AppliedLimit[], { states }: TakeResult): Row[] {
  return shown.map(({ window, limit, store }, i) => {
    const state = states[i];
    if (state === undefined) throw new Error('the counters answered for fewer limits than were asked for');
    return {
      name: window,
      scope: isOfKey(store) ? 'key' : 'organization',
      limit,
      burst: store.kind === 'rate' ? store.burst : null,
      remaining: state.remaining,
      resets_at: new Date(state.resetAtMs).toISOString(),
      is_shadow: store.isShadow === true,
    };
  });
}

export function isOfKey({ id }: AppliedLimit['store']): boolean {
  return id.startsWith('key:');
}

export const COUNTERS_VIEW: View = {
  columns: [
    column('Limit', 'name'),
    column('Of', 'scope'),
    numberColumn('Quota', 'limit'),
    numberColumn('Burst', 'burst'),
    numberColumn('Remaining', 'remaining'),
    timeColumn('Whole again', 'resets_at'),
    { title: 'Mode', value: (row) => (row['is_shadow'] === true ? 'shadow' : 'enforced') },
  ],
  fields: ['name', 'scope', 'limit', 'burst', 'remaining', 'resets_at', 'is_shadow'],
};
