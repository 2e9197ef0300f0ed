import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, hasEnded } from './command.ts';
import type { Deployed } from './deployed.ts';
import {
  bootstrapOf,
  certificateOf,
  clusterName,
  clusterOf,
  type Endpoint,
  type EnvoyFiles,
  type EnvoyJson,
  endpointsOf,
  listenerOf,
} from './envoy-config.ts';
import { routesOf, type Weights } from './envoy-routes.ts';

/** A certificate with its key, as PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly chain: string;
  readonly key: string;
}

/**
 * The stack's load balancer, as Envoy. Its listeners, rules and target groups follow from what is deployed; targets,
 * weights and the certificate change while it runs, and cut off no connection.
 */
export class LoadBalancer implements AsyncDisposable {
  /** Where each listener is on this machine, by its own port. */
  readonly ports: ReadonlyMap<number, number>;
  readonly accessLog: string;

  readonly #folder: string;
  readonly #files: EnvoyFiles;
  readonly #adminSocket: string;
  readonly #endpoints = new Map<string, readonly Endpoint[]>();
  readonly #shifted = new Map<string, Weights>();
  #deployed: Deployed;
  #process: ChildProcess | undefined;
  #version = 0;

  private constructor(folder: string, deployed: Deployed, ports: ReadonlyMap<number, number>) {
    const file = (name: string) => join(folder, `${name}.json`);
    this.#folder = folder;
    this.#deployed = deployed;
    this.ports = ports;
    this.accessLog = join(folder, 'access.log');
    this.#adminSocket = join(folder, 'admin.sock');
    this.#files = {
      listeners: file('listeners'),
      routes: (port) => file(`routes-${port}`),
      clusters: file('clusters'),
      endpoints: (arn) => file(`endpoints-${clusterName(arn).replaceAll('/', '-')}`),
      certificate: file('certificate'),
      accessLog: this.accessLog,
    };
  }

  /** Starts it, without a target. `envoy`: the program. */
  static async start(
    envoy: string,
    folder: string,
    deployed: Deployed,
    certificate: Certificate,
  ): Promise<LoadBalancer> {
    mkdirSync(folder, { recursive: true });
    const ports = new Map<number, number>();
    for (const { listener } of deployed.listeners) ports.set(Number(listener.Port), await freePort());
    const balancer = new LoadBalancer(folder, deployed, ports);
    balancer.present(certificate);
    balancer.configure(deployed);
    const bootstrap = join(folder, 'bootstrap.json');
    writeFileSync(bootstrap, JSON.stringify(bootstrapOf(balancer.#files, balancer.#adminSocket)));
    const log = openSync(join(folder, 'envoy.log'), 'a');
    const args = ['-c', bootstrap, '--use-dynamic-base-id', '--concurrency', '1', '--log-level', 'warning'];
    balancer.#process = spawn(envoy, args, { stdio: ['ignore', log, log] });
    await balancer.#ready();
    return balancer;
  }

  /** Takes over what is deployed now: listeners, rules, target groups. */
  configure(deployed: Deployed): void {
    // A rule that the template has changed is as the template says: a former shift of its calls is gone.
    const before = rulesOf(this.#deployed);
    for (const [id, rule] of rulesOf(deployed)) if (before.get(id) !== rule) this.#shifted.delete(id);
    this.#deployed = deployed;
    const groups = [...deployed.targetGroups];
    for (const [arn] of groups) if (!this.#endpoints.has(arn)) this.setTargets(arn, []);
    this.#write(
      this.#files.clusters,
      groups.map(([arn, group]) => clusterOf(arn, group, deployed, this.#files)),
    );
    for (const port of this.ports.keys()) {
      this.#write(this.#files.routes(port), [routesOf(deployed, port, this.#shifted)]);
    }
    this.#write(
      this.#files.listeners,
      [...this.ports].map(([port, local]) => listenerOf(deployed, port, local, this.#files)),
    );
  }

  /** The certificate that new connections get. */
  present({ certificate, chain, key }: Certificate): void {
    this.#write(this.#files.certificate, [certificateOf(`${certificate.trim()}\n${chain}`, key)]);
  }

  /** The targets of a group from now on. */
  setTargets(groupArn: string, endpoints: readonly Endpoint[]): void {
    this.#endpoints.set(groupArn, endpoints);
    this.#write(this.#files.endpoints(groupArn), [endpointsOf(groupArn, endpoints)]);
  }

  /** Shifts the calls that a rule takes, as ECS does in a canary deployment. Without weights: as the template says. */
  shift(ruleArn: string, weights: Weights | undefined): void {
    if (weights) this.#shifted.set(ruleArn, weights);
    else this.#shifted.delete(ruleArn);
    for (const port of this.ports.keys()) {
      this.#write(this.#files.routes(port), [routesOf(this.#deployed, port, this.#shifted)]);
    }
  }

  /** Requests under way to an address, of all target groups. */
  async activeRequests(address: string): Promise<number> {
    // The wire: Envoy's own answer.
    const { cluster_statuses = [] } = (await this.#ask('/clusters?format=json')) as ClusterStatuses;
    let active = 0;
    for (const { host_statuses = [] } of cluster_statuses) {
      for (const host of host_statuses) {
        if (host.address.socket_address.address !== address) continue;
        active += Number(host.stats.find((it) => it.name === 'rq_active')?.value ?? 0);
      }
    }
    return active;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process) await end(this.#process);
  }

  /**
   * A file that Envoy looks at takes another's place whole and at once: it never reads half of one, or an older one.
   */
  #write(path: string, resources: readonly EnvoyJson[]): void {
    const partial = `${path}.partial`;
    writeFileSync(partial, JSON.stringify({ version_info: String(++this.#version), resources }), {
      mode: 0o600,
    });
    renameSync(partial, path);
  }

  async #ready(): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      if (!this.#process || hasEnded(this.#process)) break;
      const isReady = await this.#ask('/ready').then(
        () => true,
        () => false,
      );
      if (isReady) return;
      await sleep(100);
    }
    throw new Error(`Envoy did not start; see ${join(this.#folder, 'envoy.log')}`);
  }

  async #ask(path: string): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    http.get({ socketPath: this.#adminSocket, path, agent: false }, resolve).on('error', reject);
    const response = await promise;
    if (response.statusCode !== 200) {
      response.resume();
      throw new Error(`Envoy's admin port: ${response.statusCode}`);
    }
    if (!path.includes('json')) return response.resume();
    return json(response);
  }
}

/** What a stack says of its rules, by their ARN. */
function rulesOf(deployed: Deployed): Map<string, string> {
  const rules = deployed.listeners.flatMap((it) => it.rules);
  return new Map(rules.map(({ id, properties }) => [id, JSON.stringify(properties)]));
}

interface ClusterStatuses {
  readonly cluster_statuses?: readonly {
    readonly host_statuses?: readonly {
      readonly address: { readonly socket_address: { readonly address: string } };
      readonly stats: readonly { readonly name: string; readonly value?: string }[];
    }[];
  }[];
}

/** A port of this machine that nobody listens on. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a port was asked for');
  return address.port;
}
