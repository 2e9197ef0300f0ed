import type { Deployed, Resource } from './deployed.ts';
import { clusterName, type EnvoyJson, typeUrl } from './envoy-config.ts';
import type {
  ActionProperties,
  ConditionProperties,
  RuleProperties,
  TargetGroupProperties,
} from './template.ts';

/** A pattern of a load balancer, with * and ?, as a regular expression. */
export function patternOf(pattern: string): string {
  return pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
}

/** Shares of the calls by target group's ARN; what a rule's action says, unless a deployment has shifted them. */
export type Weights = ReadonlyMap<string, number>;

/** Where an action sends calls. @throws Error for an action that a rehearsal has not */
export function weightsOf(actions: readonly ActionProperties[]): Weights | undefined {
  const action = actions.at(-1);
  if (action?.Type !== 'forward') return undefined;
  const groups = action.ForwardConfig?.TargetGroups ?? [];
  if (groups.length === 0) return new Map([[action.TargetGroupArn ?? '', 100]]);
  return new Map(groups.map((it) => [it.TargetGroupArn, Number(it.Weight ?? 1)]));
}

function conditionsOf(conditions: readonly ConditionProperties[]): { path?: string; headers: EnvoyJson[] } {
  const headers: EnvoyJson[] = [];
  let path: string | undefined;
  const oneOf = (values: readonly string[], flags = '') => {
    return { string_match: { safe_regex: { regex: `${flags}(${values.map(patternOf).join('|')})` } } };
  };
  for (const condition of conditions) {
    const { Field, Values = [] } = condition;
    if (Field === 'path-pattern') {
      path = `(${(condition.PathPatternConfig?.Values ?? Values).map(patternOf).join('|')})`;
    } else if (Field === 'http-header' && condition.HttpHeaderConfig) {
      const { HttpHeaderName, Values: wanted } = condition.HttpHeaderConfig;
      headers.push({ name: HttpHeaderName, ...oneOf(wanted, '(?i)') });
    } else if (Field === 'host-header') {
      headers.push({ name: ':authority', ...oneOf(condition.HostHeaderConfig?.Values ?? Values, '(?i)') });
    } else if (Field === 'http-request-method') {
      headers.push({ name: ':method', ...oneOf(condition.HttpRequestMethodConfig?.Values ?? Values) });
    } else {
      throw new Error(`a rehearsal has no listener rules on ${Field}`);
    }
  }
  return { path, headers };
}

function actionOf(
  actions: readonly ActionProperties[],
  weights: Weights | undefined,
  groups: ReadonlyMap<string, TargetGroupProperties>,
): EnvoyJson {
  const action = actions.at(-1);
  if (!action || actions.length > 1) throw new Error('a rehearsal has rules with one action only');
  const { FixedResponseConfig: fixed, RedirectConfig: redirect } = action;
  if (weights) {
    const clusters = [...weights].map(([arn, weight]) => ({ name: clusterName(arn), weight }));
    const [first] = weights.keys();
    const protocolVersion = groups.get(first ?? '')?.ProtocolVersion ?? 'HTTP1';
    return {
      route: { weighted_clusters: { clusters }, timeout: '0s' },
      // For the script below, which answers 464.
      metadata: { filter_metadata: { 'envoy.filters.http.lua': { protocolVersion } } },
    };
  }
  if (fixed) {
    return {
      direct_response: { status: Number(fixed.StatusCode), body: { inline_string: fixed.MessageBody ?? '' } },
      response_headers_to_add: [
        { header: { key: 'content-type', value: fixed.ContentType ?? 'text/plain; charset=utf-8' } },
      ],
    };
  }
  if (redirect) {
    const { Host, Port, Path, Protocol = '#{protocol}', StatusCode } = redirect;
    return {
      redirect: {
        ...(Host && Host !== '#{host}' ? { host_redirect: Host } : {}),
        ...(Port && Port !== '#{port}' ? { port_redirect: Number(Port) } : {}),
        ...(Path && Path !== '/#{path}' ? { path_redirect: Path } : {}),
        ...(Protocol === 'HTTPS' ? { https_redirect: true } : {}),
        response_code: StatusCode === 'HTTP_301' ? 'MOVED_PERMANENTLY' : 'FOUND',
      },
    };
  }
  throw new Error(`a rehearsal has no listener action ${action.Type}`);
}

/** The rules of a listener, as routes. `shifted`: what deployments have made of the weights, by the ARN of the rule. */
export function routesOf(deployed: Deployed, port: number, shifted: ReadonlyMap<string, Weights>): EnvoyJson {
  const found = deployed.listeners.find(({ listener }) => Number(listener.Port) === port);
  if (!found) throw new Error(`there is no listener on ${port}`);
  const groups = deployed.targetGroups;
  const routes = found.rules.map(({ id, properties }: Resource<RuleProperties>) => {
    const { path, headers } = conditionsOf(properties.Conditions);
    return {
      match: { ...(path === undefined ? { prefix: '/' } : { safe_regex: { regex: path } }), headers },
      ...actionOf(properties.Actions, shifted.get(id) ?? weightsOf(properties.Actions), groups),
    };
  });
  const { DefaultActions } = found.listener;
  routes.push({
    match: { prefix: '/', headers: [] },
    ...actionOf(DefaultActions, weightsOf(DefaultActions), groups),
  });
  return {
    '@type': typeUrl('envoy.config.route.v3.RouteConfiguration'),
    name: `listener-${port}`,
    virtual_hosts: [{ name: 'all', domains: ['*'], routes }],
  };
}
