/**
 * Loaded before a writer, breaks one of the rules that make its storing exactly once: MUTANT names which. Each is a change
 * of the statements on their way to PostgreSQL, so that everything else is the product as it is built.
 */
import pg from 'pg';

/** So long that whoever is killed or stopped at a moment of chance is most likely stopped here. */
const PAUSE_MS = 1000;
const name = process.env.MUTANT ?? '';
const send = pg.Client.prototype.query;

const MUTATIONS = {
  'offsets before rows': {
    after: async (client, text) => {
      if (!text.includes('INSERT INTO consumer_offsets')) return;
      await send.call(client, 'COMMIT');
      await pause();
      await send.call(client, 'BEGIN');
    },
  },
  'no conflict clause': { rewrite: (text) => onlyEvents(text, (sql) => sql.replace('ON CONFLICT DO NOTHING', '')) },
  'time of the consumer': {
    rewrite: (text) => onlyEvents(text, (sql) => sql.replace(/SELECT time,/, 'SELECT clock_timestamp(),')),
  },
  'no fence': {
    // Stopped within a transaction it would be ended by the server.
    before: async (text) => text === 'BEGIN' && pause(),
    rewrite: (text) => text.replace('WHERE o.next_offset <= $5', 'WHERE true OR o.next_offset <= $5'),
  },
  'good events refused': {
    rewrite: (text) =>
      text.replace('SELECT code, rule FROM try_usage', "SELECT coalesce(code, '23514') AS code, rule FROM try_usage"),
  },
  'hours from the input': {
    rewrite: (text) =>
      onlyEvents(text, (sql) => {
        const input = /FROM unnest\(.*\) AS event \([^)]*\)/.exec(sql)?.[0];
        const columns = `organization_id, date_trunc('hour', time, 'UTC') AS hour, environment, billable, units, request_bytes,
          response_bytes, response_time_ms`;
        return sql.replace('FROM inserted GROUP BY', `FROM (SELECT ${columns} ${input}) AS input GROUP BY`);
      }),
  },
};

const mutation = MUTATIONS[name];
if (mutation === undefined) throw new Error(`no mutant is called ${JSON.stringify(name)}`);

pg.Client.prototype.query = function query(config, ...rest) {
  const text = typeof config === 'string' ? config : config?.text;
  if (typeof text !== 'string') return send.call(this, config, ...rest);
  const changed = mutation.rewrite?.(text) ?? text;
  const run = () => send.call(this, typeof config === 'string' ? changed : { ...config, text: changed }, ...rest);
  // Connections of the pool are asked with promises; what takes a callback is left alone.
  if (typeof rest.at(-1) === 'function' || (mutation.before ?? mutation.after) === undefined) return run();
  return (async () => {
    await mutation.before?.(text);
    const rows = await run();
    await mutation.after?.(this, text);
    return rows;
  })();
};

function pause() {
  console.log('mutant waits');
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

function onlyEvents(text, change) {
  if (!text.includes('INSERT INTO usage_events')) return text;
  const changed = change(text);
  if (changed === text) throw new Error(`the statement has another form than mutant ${JSON.stringify(name)} knows`);
  return changed;
}
