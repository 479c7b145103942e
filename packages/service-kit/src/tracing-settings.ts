/** Where traces go, by the names that OpenTelemetry gives. Read by every service with calls to trace, and by `npm start`. */
import { field, headers, type SettingsOf, type Shape, secretField, url } from './settings.js';

export const TRACING_SETTINGS = {
  otlpEndpoint: field(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    url('http', 'https').refine(isPlain, 'must be a URL without user, query and fragment, such as http://collector:4318'),
    {
      optional: true,
      describe: 'Where traces are sent, by OTLP over HTTP: `http://collector:4318`. Without it there are none.',
    },
  ),
  otlpHeaders: secretField('OTEL_EXPORTER_OTLP_HEADERS', headers(), {
    optional: true,
    describe: 'Headers of what is sent there, such as a token: `name=value`, parted by commas, values percent-encoded.',
  }),
} satisfies Shape;

export type TracingSettings = SettingsOf<typeof TRACING_SETTINGS>;

/** A secret in it would be told wherever the address is. */
function isPlain(endpoint: string): boolean {
  const { username, password, search, hash } = new URL(endpoint);
  return username === '' && password === '' && search === '' && hash === '';
}
