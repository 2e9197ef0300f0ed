import type { ConnectionCounts } from './connection-counts.ts';
import type { Metrics } from './metrics.ts';

/** What is shown of a server. */
export interface ShownServer {
  readonly counts: ConnectionCounts;
  readonly usage: { readonly heldBytes: number; readonly clients: number; readonly watches: number };
  readonly isDraining: boolean;
}

/**
 * Shows the connections of a server, and what its calls take of what they share. They are read when somebody collects.
 *
 * @throws Error when another server shows the same
 */
export function showServer(metrics: Metrics, server: ShownServer): void {
  const { counts } = server;
  const gauge = (name: string, description: string, unit: string, read: () => number) =>
    metrics.gauge(name, { description, unit }, read);
  const counted = (name: string, description: string, unit: string, read: () => number) =>
    metrics.counted(name, { description, unit }, read);

  const open = { description: 'Connections that are open', unit: '{connection}' };
  metrics.gauge('server.connections', open, () => [
    { labels: { 'network.protocol.version': '1.1' }, value: counts.openHttp1 },
    { labels: { 'network.protocol.version': '2' }, value: counts.openHttp2 },
  ]);
  counted('server.connections.accepted', 'Connections accepted', '{connection}', () => counts.accepted);
  const refused = { description: 'Connections refused, or failed before a request', unit: '{connection}' };
  metrics.counted('server.connections.refused', refused, () =>
    Object.entries(counts.refused).map(([reason, value]) => ({ labels: { reason }, value })),
  );
  gauge('server.streams', 'Streams of HTTP/2 that are open', '{stream}', () => counts.streams);
  counted('server.goaways', 'Connections ended by GOAWAY', '{connection}', () => counts.goaways);
  metrics.counted('server.resets', { description: 'Streams of HTTP/2 reset', unit: '{stream}' }, () => [
    { labels: { direction: 'sent' }, value: counts.resetsSent },
    { labels: { direction: 'received' }, value: counts.resetsReceived },
  ]);
  gauge('server.memory.held', 'Memory that calls hold', 'By', () => server.usage.heldBytes);
  gauge('server.clients', 'Clients that have a connection or a call', '{client}', () => server.usage.clients);
  gauge(
    'server.watches',
    'Calls that last as long as their clients want',
    '{call}',
    () => server.usage.watches,
  );
  gauge('server.draining', '1 from the beginning of the drain', '{server}', () =>
    server.isDraining ? 1 : 0,
  );
}
