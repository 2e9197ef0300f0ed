import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Aws, credentials } from './aws.ts';
import { Cdk, root } from './cdk.ts';
import type { Deployed } from './deployed.ts';
import { Door } from './door.ts';
import type { Endpoint } from './endpoint.ts';
import type { Journal } from './journal.ts';
import { LoadBalancer } from './load-balancer.ts';
import { TaskNetwork } from './network.ts';
import { type Outcome, Service } from './service.ts';
import type { Subject } from './subject.ts';
import { TableData } from './table-data.ts';
import { Targets } from './targets.ts';
import type { TaskDefinitionProperties } from './template.ts';
import type { Tools } from './tools.ts';
import type { Watch } from './watch.ts';

/** What is deployed once more. */
export interface Redeployment {
  readonly change?: (task: TaskDefinitionProperties) => TaskDefinitionProperties;
  readonly bakes?: boolean;
}

/** A deployment as it runs: the AWS APIs, the stack, its load balancer, its tasks and its tables' data. */
export class Stage implements AsyncDisposable {
  readonly aws: Aws;
  readonly cdk: Cdk;
  readonly door: Door;
  readonly journal: Journal;
  readonly subject: Subject;
  /** Where logs and what was deployed are. */
  readonly folder: string;
  /** The services of the stack, by their ARN. */
  readonly services = new Map<string, Service>();
  /** How the alarms are; a rehearsal without any watches nothing. */
  watch: Watch = {
    minuteMs: 60_000,
    bakeMinutes: () => 0,
    firing: () => undefined,
    areCalm: () => true,
    configure: () => {},
  };

  /** What was secret of the environment of a task. */
  readonly secrets = new Set<string>();

  readonly #tools: Tools;
  readonly #network: TaskNetwork;
  readonly #data: TableData;
  readonly #doorUrl: string;
  readonly #resources: AsyncDisposableStack;
  #deployed: Deployed | undefined;
  #balancer: LoadBalancer | undefined;
  #targets: Targets | undefined;
  /** The certificate that the load balancer presents. */
  presented = { certificateArn: '', pem: '' };

  private constructor(
    parts: { aws: Aws; door: Door; network: TaskNetwork; data: TableData; doorUrl: string },
    more: { tools: Tools; journal: Journal; subject: Subject; folder: string },
    resources: AsyncDisposableStack,
  ) {
    this.aws = parts.aws;
    this.cdk = new Cdk(more.subject, parts.aws.url, more.folder);
    this.door = parts.door;
    this.journal = more.journal;
    this.subject = more.subject;
    this.folder = more.folder;
    this.#tools = more.tools;
    this.#network = parts.network;
    this.#data = parts.data;
    this.#doorUrl = parts.doorUrl;
    this.#resources = resources;
  }

  /** Starts all that AWS would be; nothing is deployed yet. */
  static async open(tools: Tools, subject: Subject, folder: string, journal: Journal): Promise<Stage> {
    await using opening = new AsyncDisposableStack();
    await mkdir(join(folder, 'logs'), { recursive: true });
    const aws = opening.use(await Aws.start(tools.python, folder, root));
    const data = opening.use(await TableData.start(root));
    const network = opening.use(await TaskNetwork.create());
    const door = opening.use(new Door(data.url, aws.url));
    const doorUrl = await door.listen(network.gateway);
    return new Stage(
      { aws, door, network, data, doorUrl },
      { tools, journal, subject, folder },
      opening.move(),
    );
  }

  /** The stack as it was last deployed. */
  get deployed(): Deployed {
    if (!this.#deployed) throw new Error('nothing is deployed');
    return this.#deployed;
  }

  /** The service of the stack, which must have one. */
  get service(): Service {
    const [first] = this.services.values();
    if (!first) throw new Error('the stack has no service');
    return first;
  }

  get balancer(): LoadBalancer {
    if (!this.#balancer) throw new Error('the stack has no load balancer');
    return this.#balancer;
  }

  /**
   * Deploys the stack, and waits until its services have the tasks that it says.
   *
   * @param context options of the app, beside the subject's own
   * @returns how the deployment of each service ended
   */
  async deploy(context: Readonly<Record<string, string>> = {}): Promise<Outcome[]> {
    await this.cdk.deploy(context);
    this.#deployed = await this.aws.stack(this.subject.stack);
    this.journal.say(`stack ${this.subject.stack}: ${this.#deployed.status}`);
    this.watch.configure(this.#deployed);
    await this.#data.make(this.#deployed);
    await this.#balance(this.#deployed);
    const changed = this.#deployed.services.map((version) => ({
      version,
      service: this.#serviceOf(version.arn),
    }));
    return Promise.all(
      changed
        .filter(({ version, service }) => service.runs !== version.taskDefinitionArn)
        .map(({ version, service }) => service.deploy(version)),
    );
  }

  /**
   * Replaces the tasks of every service by others of the same version, as `aws ecs update-service
   * --force-new-deployment`.
   *
   * @param change what makes it another version. Default: nothing
   * @param bakes whether alarms are watched for their time afterwards. Default: the next deployment comes before
   */
  async redeploy({ change, bakes = false }: Redeployment = {}): Promise<Outcome[]> {
    return Promise.all(
      this.deployed.services.map((version) => {
        const { taskDefinition } = version;
        const changed = { ...version, taskDefinition: change?.(taskDefinition) ?? taskDefinition };
        return this.#serviceOf(version.arn).deploy(changed, { bakes });
      }),
    );
  }

  /**
   * Waits until the alarms of deployments have forgotten what was before: ECS watches none that is on when a deployment
   * begins, and one that goes off later for what was before brings the former version back.
   */
  async calm(): Promise<void> {
    const { services } = this.deployed;
    const names = services.flatMap((it) => it.properties.DeploymentConfiguration?.Alarms?.AlarmNames ?? []);
    if (this.watch.areCalm(names)) return;
    this.journal.say(`waiting until the alarms ${names.join(', ')} are calm`);
    while (!this.watch.areCalm(names)) await sleep(500);
  }

  /** Where the service is called. Writes it down, too, for checks. */
  async endpoint(): Promise<Endpoint & { readonly file: string }> {
    const port = this.balancer.ports.get(443) ?? [...this.balancer.ports.values()][0];
    const { chain } = await this.#certificate();
    const serverName = this.deployed.loadBalancer?.dnsName?.toLowerCase();
    const url = `https://localhost:${port}`;
    const caFile = join(this.folder, 'ca.pem');
    await writeFile(caFile, chain);
    const file = join(this.folder, 'endpoint.json');
    await writeFile(file, JSON.stringify({ url, port, serverName, ca: caFile }));
    return { url, ca: chain, serverName, token: await this.subject.token(this), file };
  }

  /** Presents the certificate that ACM has now. Returns whether it is another one than before. */
  async presentCertificate(): Promise<boolean> {
    const before = this.presented.pem;
    const certificate = await this.#certificate();
    if (certificate.certificate === before) return false;
    this.balancer.present(certificate);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of this.services.values()) await service[Symbol.asyncDispose]();
    await this.#balancer?.[Symbol.asyncDispose]();
    await this.#resources.disposeAsync();
  }

  async #balance(deployed: Deployed): Promise<void> {
    if (!deployed.loadBalancer) return;
    if (this.#targets) return this.#targets.configure(deployed);
    const certificate = await this.#certificate();
    const folder = join(this.folder, 'load-balancer');
    this.#balancer = await LoadBalancer.start(this.#tools.envoy, folder, deployed, certificate);
    this.#targets = new Targets(this.#balancer, deployed);
  }

  async #certificate() {
    const arns = this.deployed.listeners.flatMap(({ listener }) => listener.Certificates ?? []);
    const [first] = arns;
    if (!first) throw new Error('no listener has a certificate');
    const certificate = await this.aws.certificate(first.CertificateArn);
    this.presented = { certificateArn: first.CertificateArn, pem: certificate.certificate };
    return certificate;
  }

  #serviceOf(arn: string): Service {
    const known = this.services.get(arn);
    if (known) return known;
    const platform = {
      network: this.#network,
      environment: { ...credentials, AWS_ENDPOINT_URL: this.#doorUrl, AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE' },
      logs: join(this.folder, 'logs'),
      readSecret: async (valueFrom: string) => {
        const text = await this.aws.readSecret(valueFrom);
        for (const word of text.split(/\s+/).filter((it) => it.length >= 16)) this.secrets.add(word);
        return text;
      },
      leaveOut: (what: string) => this.journal.leaveOut(what),
    };
    const service = new Service(platform, this.#targets, () => this.watch, this.journal);
    this.services.set(arn, service);
    return service;
  }
}
