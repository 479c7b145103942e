import { type Environment, field, listenAddress, readSettings, type SettingsOf } from '@tollgate/service-kit/settings';

export const SETTINGS = {
  listen: field('DEMO_UPSTREAM_LISTEN', listenAddress(), {
    default: '127.0.0.1:3000',
    describe: 'Where the demo API answers: host:port or unix:/path.',
  }),
};

/** Reads the settings of the demo API. Throws one SettingsError that names every mistake. */
export function readConfig(env: Environment): SettingsOf<typeof SETTINGS> {
  return readSettings(SETTINGS, env);
}
