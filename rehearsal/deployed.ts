import type {
  ListenerProperties,
  ResourceTypes,
  RuleProperties,
  ServiceProperties,
  TargetGroupProperties,
  TaskDefinitionProperties,
} from './template.ts';

/** A resource of a stack, as CloudFormation made it: references resolved. */
export interface Resource<Properties> {
  /** Its name in the template. */
  readonly logicalId: string;
  /** What Ref gives: an ARN or a name. */
  readonly id: string;
  readonly properties: Properties;
  /** A load balancer's name in DNS. */
  readonly dnsName?: string;
}

/** An ECS service, and what its tasks are made from. */
export interface DeployedService {
  readonly arn: string;
  readonly name: string;
  readonly cluster: string;
  readonly properties: ServiceProperties;
  /** How many tasks are wanted: auto scaling's least, where there is one. */
  readonly desired: number;
  readonly taskDefinitionArn: string;
  readonly taskDefinition: TaskDefinitionProperties;
}

/** A stack that was deployed. */
export class Deployed {
  readonly status: string;
  readonly #resources: readonly (Resource<unknown> & { readonly type: string })[];

  constructor(status: string, resources: Readonly<Record<string, unknown>>) {
    this.status = status;
    this.#resources = Object.entries(resources).map(([logicalId, resource]) => {
      // The wire: what rehearsal/aws/server.py answers.
      return { logicalId, ...(resource as { type: string; id: string; properties: unknown }) };
    });
  }

  /** All resources of a type. */
  all<Type extends keyof ResourceTypes>(type: Type): Resource<ResourceTypes[Type]>[] {
    // The wire: CloudFormation has said what the properties of a type are.
    return this.#resources.filter((it) => it.type === type) as Resource<ResourceTypes[Type]>[];
  }

  /** The ids of all resources whose type begins so, such as `AWS::Lambda::`. */
  idsOf(prefix: string): string[] {
    return this.#resources.filter((it) => it.type.startsWith(prefix)).map((it) => it.id);
  }

  /** The load balancer in front, as far as there is one. */
  get loadBalancer() {
    const [first, ...others] = this.all('AWS::ElasticLoadBalancingV2::LoadBalancer');
    if (others.length > 0)
      throw new Error('a rehearsal has room for one load balancer, and the stack has several');
    return first;
  }

  get targetGroups(): ReadonlyMap<string, TargetGroupProperties> {
    const groups = this.all('AWS::ElasticLoadBalancingV2::TargetGroup');
    return new Map(groups.map((it) => [it.id, it.properties]));
  }

  /** The listeners, each with its rules in the order in which they are tried. */
  get listeners(): { listener: ListenerProperties; rules: Resource<RuleProperties>[] }[] {
    const rules = this.all('AWS::ElasticLoadBalancingV2::ListenerRule');
    return this.all('AWS::ElasticLoadBalancingV2::Listener').map(({ id, properties: listener }) => ({
      listener,
      rules: rules
        .filter(({ properties }) => properties.ListenerArn === id)
        .sort((a, b) => Number(a.properties.Priority) - Number(b.properties.Priority)),
    }));
  }

  get services(): DeployedService[] {
    const definitions = this.all('AWS::ECS::TaskDefinition');
    const targets = this.all('AWS::ApplicationAutoScaling::ScalableTarget');
    return this.all('AWS::ECS::Service').map(({ id, properties }) => {
      const [, cluster = '', name = ''] = id.split('/');
      const definition = definitions.find((it) => it.id === properties.TaskDefinition);
      if (!definition) throw new Error(`the task definition of ${name} is not of the stack`);
      const scaled = targets.find((it) => it.properties.ResourceId === `service/${cluster}/${name}`);
      return {
        arn: id,
        name,
        cluster,
        properties,
        desired: Number(scaled?.properties.MinCapacity ?? properties.DesiredCount ?? 1),
        taskDefinitionArn: definition.id,
        taskDefinition: definition.properties,
      };
    });
  }
}
