const DEADLINE_MS = 2_000;

/** Makes Envoy open its file logs by their names again. Rejects where it does not answer. */
export async function reopenLogs(adminUrl: string): Promise<void> {
  const response = await fetch(new URL('/reopen_logs', adminUrl), { method: 'POST', signal: AbortSignal.timeout(DEADLINE_MS) });
  await response.text();
  if (!response.ok) throw new Error(`Envoy answers ${response.status} to /reopen_logs`);
}

/** How many entries Envoy has given to its usage stream since it started; rejects where it does not say. */
export async function entriesWritten(adminUrl: string): Promise<number> {
  const filter = '^access_logs\\.grpc_access_log\\.logs_written$';
  const url = new URL(`/stats?filter=${encodeURIComponent(filter)}`, adminUrl);
  const response = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
  const count = /: (\d+)$/m.exec(await response.text())?.[1];
  if (!response.ok || count === undefined) throw new Error(`Envoy does not tell its entries (status ${response.status})`);
  return Number(count);
}
